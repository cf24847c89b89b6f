"""The nodes of the gateways: what a gateway made that has lost its node since is refused.

The ids of a node only grow, and whoever takes one begins above all that were ever made of it. So
an id of a fenced node that is not above the highest so far comes from whoever had the node before,
which was paused or cut off, or comes a second time.
"""

from exchange_shared.ids import COUNTER_BITS, FORGED_FROM, NODES, node_of
from exchange_shared.messages import (
    AnyCommand,
    BeginPhase,
    ClockTick,
    FenceNode,
    NewOrder,
    NodeFenced,
)
from matching_engine.core.commands.refusals import reject, reject_order
from matching_engine.core.market import Market

_WITHOUT_ID = (ClockTick, BeginPhase)


def fence_node(market: Market, command: FenceNode) -> None:
    """From now on only ids above this one count of its node."""
    node = node_of(command.request_id)
    market.highest_ids[node] = command.request_id
    market.events.append(
        NodeFenced(
            seq=market.next_seq(),
            time_us=command.time_us,
            request_id=command.request_id,
            node=node,
        )
    )


def comes_too_late(market: Market, command: AnyCommand) -> bool:
    """Whether a command is of a gateway that has lost its node; refuses the command then.

    Only nodes that were fenced are looked at: gateways of earlier versions fenced none.
    """
    if isinstance(command, NewOrder):
        id_ = command.order_id
    elif isinstance(command, _WITHOUT_ID):
        return False
    else:
        id_ = command.request_id
    node = id_ >> COUNTER_BITS & NODES - 1  # `node_of`, written out for each command's sake
    highest = market.highest_ids.get(node)
    if highest is None:
        return False
    if highest < id_ < FORGED_FROM:
        market.highest_ids[node] = id_
        return False
    message = "the gateway that took this has lost its place since; nothing was done: send it again"
    if isinstance(command, NewOrder):
        reject_order(market, command, "gateway_replaced", message)
    else:
        reject(market, command, "gateway_replaced", message)
    return True
