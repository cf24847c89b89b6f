"""The terms of a security, and the limits of clients: what operators set."""

import msgspec

from exchange_shared.messages import ListSecurity
from exchange_shared.units import PPM


class Limits(msgspec.Struct, frozen=True):
    """What a client may have; `None` is no limit, or, of a client's own limits, the market's."""

    max_open_orders: int | None = None
    max_position: int | None = None
    max_order_value_e4: int | None = None

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


class Terms(msgspec.Struct, frozen=True):
    """The terms of a security, as it was listed; `None` is no such limit."""

    tick_e4: int
    reference_price_e4: int
    granted_quantity: int
    lot_quantity: int = 1
    max_order_quantity: int | None = None
    max_order_value_e4: int | None = None
    static_band_ppm: int | None = None
    dynamic_band_ppm: int | None = None
    halt_us: int = 0
    auction_us: int = 0
    short_margin_ppm: int | None = None

    @classmethod
    def of(cls, command: ListSecurity) -> "Terms":
        """The terms that a command lists a security with."""
        return cls(*(getattr(command, name) for name in cls.__struct_fields__))

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
