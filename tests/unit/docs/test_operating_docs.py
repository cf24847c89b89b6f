"""The requests that the documentation shows for copying are well-formed."""

import re

import pytest
from pydantic import BaseModel

from exchange_shared.http import decode_json
from order_entry_gateway.requests.operator_schemas import (
    ClockRequest,
    KillSwitchRequest,
    LimitsRequest,
    SecurityRequest,
    StateRequest,
)
from order_entry_gateway.requests.parsing import parse
from order_entry_gateway.requests.schemas import ClientRequest, OrderRequest
from tests.support.paths import ROOT

MODELS: dict[str, type[BaseModel]] = {
    "/clients": ClientRequest,
    "/orders": OrderRequest,
    "/admin/state": StateRequest,
    "/admin/securities": SecurityRequest,
    "/admin/clock": ClockRequest,
    "/admin/clients/bob/limits": LimitsRequest,
    "/admin/clients/bob/kill-switch": KillSwitchRequest,
}
_REQUEST = re.compile(
    r"curl -s (?:-X PUT )?(?:\$G|http://127\.0\.0\.1:2400)(/\S+)"
    r"[^']*(?:'Authorization[^']*')?[^']*?-d '([^']+)'"
)


@pytest.mark.parametrize("page", ["README.md", "docs/operating.md"])
def test_requests_to_copy_are_well_formed(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    shown = _REQUEST.findall(text)
    assert len(shown) == text.count("-d '{\"")
    for path, body in shown:
        parse(MODELS[path], decode_json(body))
