"""The operator of a gateway, who is never refused."""

from typing import Any

from tests.support.gateways import OPERATOR_KEY, Gateway, bearer

OPERATOR = bearer(OPERATOR_KEY)


async def operate(gateway: Gateway, method: str, path: str, content: Any = None) -> Any:
    """The answer to the operator, who must not be refused."""
    answer = await gateway.http.request(method, path, headers=OPERATOR, json=content)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def set_state(gateway: Gateway, action: str, **content: Any) -> Any:
    """How many securities changed."""
    answer = await operate(gateway, "POST", "/admin/state", {"action": action, **content})
    return answer["count"]


async def states(gateway: Gateway) -> dict[str, tuple[str, str | None, str | None]]:
    """State, auction and end of each security."""
    answer = await operate(gateway, "GET", "/admin/status")
    return {
        one["security_id"]: (one["state"], one["auction"], one["until"])
        for one in answer["securities"]
    }
