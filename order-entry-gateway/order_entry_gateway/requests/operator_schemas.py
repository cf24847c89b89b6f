"""What the operator may send: the shape of every request under `/admin`."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from exchange_shared.market import LimitsConfig, Seconds, TermsConfig
from exchange_shared.messages import AuctionKind, StateAction
from order_entry_gateway.requests.schemas import SecurityId


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class SecurityRequest(TermsConfig):
    """A security and all its terms: what is left out has its default, also if it was listed."""

    security_id: SecurityId


class StateRequest(_Request):
    """What is to happen with one security, or without `security_id` with all."""

    action: StateAction = Field(
        description=(
            "`pre_open`: gather orders. `start_auction`: gather them for an auction. `uncross`: "
            "end the auction with its trades. `open`: trade continuously. `halt`: take only "
            "cancels. `resume`: end a halt with an auction. `close`: end the day."
        )
    )
    security_id: SecurityId | None = None
    auction: AuctionKind | None = Field(
        default=None,
        description=(
            "Of `start_auction`; left out: `reopening` from `halted` or `continuous`, else "
            "`opening`. After a `closing` auction the security is closed."
        ),
    )
    seconds: Seconds | None = Field(
        default=None,
        description="How long an auction or a halt lasts; left out: until another action.",
        examples=[60],
    )


class ClockRequest(_Request):
    """The time of the gateway that is asked is right."""

    confirm: Literal[True] = Field(
        description="The market's clock is set to this gateway's, ahead or back."
    )


class LimitsRequest(LimitsConfig):
    """A client's own limits, all of them: what is left out is as for every client."""


class KillSwitchRequest(_Request):
    """On: all orders of the client are cancelled, and it may send no new ones."""

    active: Annotated[bool, Field(description="false lets it trade again")]
