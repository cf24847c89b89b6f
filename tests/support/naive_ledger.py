"""A ledger that is obviously right: one step after the other, nothing clever."""

from exchange_shared.messages import (
    AccountFunded,
    AccountOpened,
    AnyExecution,
    AnySettlement,
    TradeExecuted,
    TradeSettled,
)

BANK, ISSUER, FEES = "house:settlement_bank", "house:issuer", "house:fees"


class NaiveLedger:
    """Who holds how much of what, by owner and asset."""

    def __init__(self) -> None:
        self.holdings: dict[tuple[str, str], int] = {}
        self.clients: list[str] = []

    def holds(self, owner: str, asset: str) -> int:
        """How much of an asset somebody has."""
        return self.holdings.get((owner, asset), 0)

    def give(self, giver: str, taker: str, asset: str, amount: int) -> None:
        """Move something from one to another."""
        if amount:
            self.holdings[giver, asset] = self.holds(giver, asset) - amount
            self.holdings[taker, asset] = self.holds(taker, asset) + amount

    def can_book(self, execution: AnyExecution) -> bool:
        """Whether the parties exist (or not yet) and can pay and deliver."""
        if isinstance(execution, AccountOpened):
            return execution.client_id not in self.clients
        buyer, seller = execution.buyer_id, execution.seller_id
        if buyer == seller or buyer not in self.clients or seller not in self.clients:
            return False
        cost = execution.price_e4 * execution.quantity
        return (
            self.holds(buyer, "cash") >= cost + execution.buyer_fee_e4
            and self.holds(seller, "cash") + cost >= execution.seller_fee_e4
            and self.holds(seller, execution.security_id) >= execution.quantity
        )

    def book(self, execution: AnyExecution) -> AnySettlement:
        """Book it; returns the report of it, with the time 0."""
        if isinstance(execution, AccountOpened):
            return self._open(execution)
        return self._trade(execution)

    def _open(self, opened: AccountOpened) -> AccountFunded:
        self.clients.append(opened.client_id)
        self.holdings[opened.client_id, "cash"] = 0
        self.give(BANK, opened.client_id, "cash", opened.cash_e4)
        for asset, quantity in opened.holdings.items():
            self.give(ISSUER, opened.client_id, asset, quantity)
        return AccountFunded(
            time_us=0,
            execution_seq=opened.execution_seq,
            client_id=opened.client_id,
            cash_e4=opened.cash_e4,
            holdings=opened.holdings,
        )

    def _trade(self, trade: TradeExecuted) -> TradeSettled:
        buyer, seller = trade.buyer_id, trade.seller_id
        self.give(buyer, seller, "cash", trade.price_e4 * trade.quantity)
        self.give(seller, buyer, trade.security_id, trade.quantity)
        self.give(buyer, FEES, "cash", trade.buyer_fee_e4)
        self.give(seller, FEES, "cash", trade.seller_fee_e4)
        return TradeSettled(
            time_us=0,
            execution_seq=trade.execution_seq,
            trade_id=trade.trade_id,
            security_id=trade.security_id,
            price_e4=trade.price_e4,
            quantity=trade.quantity,
            buy_order_id=trade.buy_order_id,
            sell_order_id=trade.sell_order_id,
            buyer_id=buyer,
            seller_id=seller,
            buyer_fee_e4=trade.buyer_fee_e4,
            seller_fee_e4=trade.seller_fee_e4,
            buyer_cash_e4=self.holds(buyer, "cash"),
            seller_cash_e4=self.holds(seller, "cash"),
            buyer_shares=self.holds(buyer, trade.security_id),
            seller_shares=self.holds(seller, trade.security_id),
        )
