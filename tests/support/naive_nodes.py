"""The naive exchange's view of who may still send commands: ids of a fenced node only grow."""

from exchange_shared.ids import FORGED_FROM, node_of
from exchange_shared.messages import AnyCommand, FenceNode, NewOrder, NodeFenced
from tests.support.naive_market import NaiveMarket


def fence_node(market: NaiveMarket, command: FenceNode) -> None:
    """Whoever had a node until now has lost it."""
    node = node_of(command.request_id)
    market.fenced_nodes.append(node)
    if command.request_id not in market.ids:
        market.ids.append(command.request_id)
    market.publish(NodeFenced, request_id=command.request_id, node=node)


def is_of_a_lost_node(market: NaiveMarket, command: AnyCommand) -> bool:
    """Whether an id of a fenced node is not above all that came of it; notes it otherwise."""
    name = "order_id" if isinstance(command, NewOrder) else "request_id"
    id_ = getattr(command, name, None)
    if id_ is None or node_of(id_) not in market.fenced_nodes:
        return False
    if id_ >= FORGED_FROM or any(
        other >= id_ for other in market.ids if node_of(other) == node_of(id_)
    ):
        return True
    market.ids.append(id_)
    return False
