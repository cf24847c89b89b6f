"""The lists of fields that messages have in common, and everybody beside them: each in one home.

A term, an option or a limit is added here; the messages that tell it, and whoever keeps it as one
of these structs, then have it.
"""

from operator import attrgetter
from typing import Annotated, Any, cast, dataclass_transform

import msgspec

from exchange_shared.messages.values import (
    BandPpm,
    Count,
    DisplayPpm,
    DurationUs,
    MarginPpm,
    PerSecond,
    PriceE4,
    Quantity,
    SelfTradePrevention,
    ShortText,
    TimeUs,
    TrailPpm,
    ValueE4,
)
from exchange_shared.units import MAX_QUANTITY


@dataclass_transform(field_specifiers=(msgspec.field,))
class FieldList(msgspec.StructMeta):
    """The type of a list of fields that messages inherit beside their base: `(Terms, Base)`.

    The layout of a struct allows one line of bases only, so such a message gets copies of the
    fields, where inheritance would put them: after those of its base, before its own. It is no
    instance of the list; `msgspec.convert(message, Terms, from_attributes=True)` makes one.
    """

    def __new__(
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any
    ) -> Any:
        """The list, or with a base of another line the message.

        Raises:
            TypeError: a message has its list after its base, or more than one list or base.
        """
        if len(bases) == 1:
            return super().__new__(mcls, name, bases, namespace, **options)
        field_list, base = bases[:2]
        if len(bases) > 2 or not isinstance(field_list, mcls):
            raise TypeError(f"{name} is to inherit from one list of fields, and then from one base")
        fields = [
            (field.name, field.type) if field.required else (field.name, field.type, field.default)
            for field in msgspec.structs.fields(cast("type[msgspec.Struct]", field_list))
        ]
        base = msgspec.defstruct(base.__name__, fields, bases=(base,), module=base.__module__)
        return msgspec.StructMeta(name, (base,), namespace, **options)


class SecurityTerms(msgspec.Struct, frozen=True, gc=False, metaclass=FieldList):
    """On what terms a security is traded.

    `lot_quantity` divides every quantity. `static_band_ppm` is how far from the reference price a
    limit may be, `dynamic_band_ppm` how far from the last trade price a trade may be: beyond that
    the security is halted for `halt_us` and then gathers orders in an auction for `auction_us`.
    With `short_margin_ppm` it may be sold short. `None` is no such limit, and no short selling.
    """

    tick_e4: PriceE4
    reference_price_e4: PriceE4
    granted_quantity: Annotated[int, msgspec.Meta(ge=0, le=MAX_QUANTITY)]
    lot_quantity: Quantity = 1
    max_order_quantity: Quantity | None = None
    max_order_value_e4: ValueE4 | None = None
    static_band_ppm: BandPpm | None = None
    dynamic_band_ppm: BandPpm | None = None
    halt_us: DurationUs = 0
    auction_us: DurationUs = 0
    short_margin_ppm: MarginPpm | None = None


class ClientLimits(msgspec.Struct, frozen=True, metaclass=FieldList):
    """What a client may have; `None` is no limit, or, of a client's own limits, the market's.

    `min_display_ppm` is how much of an iceberg is displayed at the least. `orders_per_second` (0:
    no limit) and `order_burst` are kept by the gateways, which ask how fast orders come.
    """

    max_open_orders: Count | None = None
    max_position: Count | None = None
    max_order_value_e4: ValueE4 | None = None
    min_display_ppm: DisplayPpm | None = None
    orders_per_second: PerSecond | None = None
    order_burst: Count | None = None


class OrderOptions(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, metaclass=FieldList):
    """What most orders do not have.

    `trail_e4` or `trail_ppm` is the distance of a trailing stop; `expires_us` the end of a `gtd`.
    """

    stop_price_e4: PriceE4 | None = None
    trail_e4: PriceE4 | None = None
    trail_ppm: TrailPpm | None = None
    expires_us: TimeUs | None = None
    post_only: bool = False
    display_quantity: Quantity | None = None
    hidden: bool = False
    self_trade_prevention: SelfTradePrevention = "cancel_newest"
    oco_group: ShortText | None = None


NO_OPTIONS = OrderOptions()

_option_values = attrgetter(*OrderOptions.__struct_fields__)
_NO_OPTION_VALUES = _option_values(NO_OPTIONS)


def options_of(message: Any) -> OrderOptions:
    """The options in a message; `NO_OPTIONS` itself when it has none."""
    values = _option_values(message)
    return NO_OPTIONS if values == _NO_OPTION_VALUES else OrderOptions(*values)
