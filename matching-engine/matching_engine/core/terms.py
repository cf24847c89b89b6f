"""The terms of a security, and the limits of clients: what operators set."""

from typing import Any

import msgspec

from exchange_shared.messages import ClientLimits, SecurityTerms
from exchange_shared.units import PPM


class Limits(ClientLimits, frozen=True):
    """The limits of a client, or of all, and how the two go together."""

    @classmethod
    def of(cls, told: ClientLimits) -> "Limits":
        """The limits in a command."""
        return msgspec.convert(told, cls, from_attributes=True)

    def over(self, other: "Limits") -> "Limits | None":
        """These limits, and the other ones where these are silent; `None` when there are none."""
        limits = Limits(
            *(
                theirs if mine is None else mine
                for mine, theirs in zip(
                    msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True
                )
            )
        )
        return None if limits == Limits() else limits


class Terms(SecurityTerms, frozen=True):
    """The terms of a security, as it was listed, and what follows from them."""

    @classmethod
    def of(cls, told: Any) -> "Terms":
        """The terms in a command, an event or a state that has their fields."""
        return msgspec.convert(told, cls, from_attributes=True)

    def width_e4(self, price_e4: int, band_ppm: int) -> int:
        """How far from a price a band around it reaches: at least one tick."""
        return max(self.tick_e4, price_e4 * band_ppm // PPM)

    @property
    def limit_orders(self) -> bool:
        """Whether these terms refuse some orders in continuous trading."""
        return (
            self.lot_quantity != 1
            or self.max_order_quantity is not None
            or self.max_order_value_e4 is not None
            or self.static_band_ppm is not None
        )
