-- What `exchange verify` asks the two databases.

-- name: balances
-- clearing_data: every account that has something.
SELECT owner, asset, balance FROM account WHERE balance <> 0

-- name: unbalanced_assets
-- clearing_data: assets of which something was made or lost.
SELECT asset, sum(balance) AS total FROM account GROUP BY asset HAVING sum(balance) <> 0

-- name: accounts_that_differ_from_transfers
-- clearing_data: accounts whose balance is not what their transfers add up to.
SELECT account.id
FROM account
LEFT JOIN (
    SELECT id, sum(amount) AS balance
    FROM (
        SELECT credit_account AS id, amount FROM transfer
        UNION ALL
        SELECT debit_account, -amount FROM transfer
    ) AS movement
    GROUP BY id
) AS moved USING (id)
WHERE account.balance <> coalesce(moved.balance, 0)

-- name: settlements_without_both_legs
-- clearing_data: trades whose cash or shares did not move. Leg 1 is cash, leg 2 is shares.
SELECT trade_id
FROM trade_settlement
LEFT JOIN transfer AS cash ON cash.execution_seq = trade_settlement.execution_seq AND cash.leg = 1
LEFT JOIN transfer AS shares
    ON shares.execution_seq = trade_settlement.execution_seq AND shares.leg = 2
WHERE cash.amount IS NULL OR shares.amount IS NULL

-- name: settlements
-- clearing_data: every settled trade with the amounts of its two legs.
SELECT trade_id, execution_seq, buy_order_id, sell_order_id,
       cash.amount AS cash_e4, shares.amount AS shares
FROM trade_settlement
JOIN transfer AS cash USING (execution_seq)
JOIN transfer AS shares USING (execution_seq)
WHERE cash.leg = 1 AND shares.leg = 2
ORDER BY trade_id

-- name: securities
-- market_data: the state and the prices of every listed security.
SELECT security_id, state, auction, until_us, reference_price_e4, last_e4, indicative_price_e4,
       indicative_quantity, surplus
FROM security

-- name: orders
-- market_data: every order that the engine accepted.
SELECT order_id, client_id, security_id, side, quantity, price_e4, filled_quantity, notional_e4,
       status, reason
FROM orders
WHERE status <> 'rejected'

-- name: trades
-- market_data: every trade.
SELECT trade_id, seq, security_id, price_e4, quantity, aggressor_side, buy_order_id, sell_order_id,
       buyer_id, seller_id, buyer_fee_e4, seller_fee_e4
FROM trade
ORDER BY trade_id

-- name: fees
-- market_data: what clients paid in fees, less rebates.
SELECT client_id, fees_e4 FROM balance WHERE fees_e4 <> 0

-- name: served_balances
-- market_data: cash and shares of every client, as they are told.
SELECT client_id, 'cash' AS asset, cash_e4 AS balance
FROM balance WHERE cash_e4 <> 0
UNION ALL
SELECT client_id, security_id, quantity FROM holding WHERE quantity <> 0

-- name: settled_balances
-- market_data: cash and shares of every client, as far as they are settled.
SELECT client_id, 'cash' AS asset, settled_cash_e4 AS balance
FROM balance WHERE settled_cash_e4 <> 0
UNION ALL
SELECT client_id, security_id, settled_quantity FROM holding WHERE settled_quantity <> 0
