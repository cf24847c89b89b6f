-- name: lock
-- One feed stores at a time. It also waits for the end of a transaction whose connection was lost
-- while it committed, so that the position read next is final.
SELECT pg_advisory_xact_lock(x'666565645f737472'::bigint);

-- name: upsert_orders
-- The latest state of orders, new ones and known ones. An id that is refused has changed nothing: if
-- it is known, it is that of another order.
INSERT INTO orders AS known (
    order_id, unit_hold_e4, price_e4, quantity, filled_quantity, notional_e4, last_trade_id, seq,
    created_us, updated_us, is_open, client_id, security_id, side, order_type, time_in_force,
    status, client_order_id, reason, message, options, displayed_quantity
)
SELECT * FROM unnest(
    $1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
    $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::boolean[], $12::text[],
    $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[],
    $20::text[], $21::jsonb[], $22::bigint[]
)
ON CONFLICT (order_id) DO UPDATE SET
    unit_hold_e4 = excluded.unit_hold_e4,
    price_e4 = excluded.price_e4,
    quantity = excluded.quantity,
    filled_quantity = excluded.filled_quantity,
    notional_e4 = excluded.notional_e4,
    last_trade_id = excluded.last_trade_id,
    seq = excluded.seq,
    updated_us = excluded.updated_us,
    is_open = excluded.is_open,
    status = excluded.status,
    reason = excluded.reason,
    displayed_quantity = excluded.displayed_quantity
WHERE excluded.status <> 'rejected';

-- name: insert_clients
INSERT INTO client (client_id, api_key_hash, opened_us, opening_equity_e4)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]);

-- name: upsert_client_rates
INSERT INTO client_rate (client_id, orders_per_second, order_burst)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])
ON CONFLICT (client_id) DO UPDATE SET
    orders_per_second = excluded.orders_per_second,
    order_burst = excluded.order_burst;

-- name: upsert_securities
INSERT INTO security (
    security_id, last_e4, volume, trades, seq, time_us, state, auction, until_us,
    indicative_price_e4, indicative_quantity, surplus, tick_e4, reference_price_e4,
    granted_quantity, lot_quantity, max_order_quantity, max_order_value_e4, static_band_ppm,
    dynamic_band_ppm, halt_us, auction_us, short_margin_ppm
)
SELECT * FROM unnest(
    $1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[],
    $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
    $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[],
    $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[]
)
ON CONFLICT (security_id) DO UPDATE SET
    reference_price_e4 = excluded.reference_price_e4,
    last_e4 = excluded.last_e4,
    volume = excluded.volume,
    trades = excluded.trades,
    seq = excluded.seq,
    time_us = excluded.time_us,
    state = excluded.state,
    auction = excluded.auction,
    until_us = excluded.until_us,
    indicative_price_e4 = excluded.indicative_price_e4,
    indicative_quantity = excluded.indicative_quantity,
    surplus = excluded.surplus,
    tick_e4 = excluded.tick_e4,
    granted_quantity = excluded.granted_quantity,
    lot_quantity = excluded.lot_quantity,
    max_order_quantity = excluded.max_order_quantity,
    max_order_value_e4 = excluded.max_order_value_e4,
    static_band_ppm = excluded.static_band_ppm,
    dynamic_band_ppm = excluded.dynamic_band_ppm,
    halt_us = excluded.halt_us,
    auction_us = excluded.auction_us,
    short_margin_ppm = excluded.short_margin_ppm;

-- name: upsert_balances
INSERT INTO balance (client_id, cash_e4, settled_cash_e4, trades, volume, fees_e4)
SELECT * FROM unnest(
    $1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]
)
ON CONFLICT (client_id) DO UPDATE SET
    cash_e4 = excluded.cash_e4,
    settled_cash_e4 = excluded.settled_cash_e4,
    trades = excluded.trades,
    volume = excluded.volume,
    fees_e4 = excluded.fees_e4;

-- name: upsert_holdings
INSERT INTO holding (client_id, security_id, quantity, settled_quantity, cost_e4)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
ON CONFLICT (client_id, security_id) DO UPDATE SET
    quantity = excluded.quantity,
    settled_quantity = excluded.settled_quantity,
    cost_e4 = excluded.cost_e4;

-- name: store_progress
INSERT INTO progress (execution_seq, report_seq) VALUES ($1, $2)
ON CONFLICT (only_row) DO UPDATE SET
    execution_seq = excluded.execution_seq,
    report_seq = excluded.report_seq;

-- name: load_progress
SELECT execution_seq, report_seq FROM progress;

-- name: load_securities
SELECT * FROM security ORDER BY security_id;

-- name: load_accounts
-- Cash may be known of a client whose opening is not: its settlement was read first.
SELECT
    balance.*, client.api_key_hash, client.opened_us, client.opening_equity_e4
FROM balance LEFT JOIN client USING (client_id)
ORDER BY client.opened_us, client_id;

-- name: load_holdings
SELECT * FROM holding;

-- name: load_open_orders
SELECT * FROM orders WHERE is_open ORDER BY order_id;

-- name: order_by_id
SELECT * FROM orders WHERE order_id = $1;

-- name: orders_of_client
-- Newest first, $2 and $3 are the ids between which they are.
SELECT * FROM orders WHERE client_id = $1 AND order_id > $2 AND order_id < $3
ORDER BY order_id DESC LIMIT $4;

-- name: orders_of_client_forward
-- Oldest first, $2 and $3 are the ids between which they are.
SELECT * FROM orders WHERE client_id = $1 AND order_id > $2 AND order_id < $3
ORDER BY order_id LIMIT $4;

-- name: report_of_order
-- A denial is the last word, also when the confirmation was read after it.
SELECT * FROM order_report WHERE order_id = $1
ORDER BY status = 'denied' DESC, report_seq DESC LIMIT 1;

-- name: order_reports_of_client
SELECT * FROM order_report WHERE client_id = $1 AND report_seq > $2 AND report_seq < $3
ORDER BY report_seq DESC LIMIT $4;

-- name: order_reports_of_client_forward
SELECT * FROM order_report WHERE client_id = $1 AND report_seq > $2 AND report_seq < $3
ORDER BY report_seq LIMIT $4;

-- name: trades_of_client
(SELECT * FROM trade WHERE buyer_id = $1 AND report_seq > $2 AND report_seq < $3
ORDER BY report_seq DESC LIMIT $4)
UNION
(SELECT * FROM trade WHERE seller_id = $1 AND report_seq > $2 AND report_seq < $3
ORDER BY report_seq DESC LIMIT $4)
ORDER BY report_seq DESC LIMIT $4;

-- name: trades_of_client_forward
(SELECT * FROM trade WHERE buyer_id = $1 AND report_seq > $2 AND report_seq < $3
ORDER BY report_seq LIMIT $4)
UNION
(SELECT * FROM trade WHERE seller_id = $1 AND report_seq > $2 AND report_seq < $3
ORDER BY report_seq LIMIT $4)
ORDER BY report_seq LIMIT $4;

-- name: settlements_of_client
(SELECT * FROM settlement WHERE buyer_id = $1 AND report_seq > $2 AND report_seq < $3
ORDER BY report_seq DESC LIMIT $4)
UNION
(SELECT * FROM settlement WHERE seller_id = $1 AND report_seq > $2 AND report_seq < $3
ORDER BY report_seq DESC LIMIT $4)
ORDER BY report_seq DESC LIMIT $4;

-- name: settlements_of_client_forward
(SELECT * FROM settlement WHERE buyer_id = $1 AND report_seq > $2 AND report_seq < $3
ORDER BY report_seq LIMIT $4)
UNION
(SELECT * FROM settlement WHERE seller_id = $1 AND report_seq > $2 AND report_seq < $3
ORDER BY report_seq LIMIT $4)
ORDER BY report_seq LIMIT $4;

-- name: trades_of_security
SELECT * FROM trade WHERE security_id = $1 AND trade_id > $2 AND trade_id < $3
ORDER BY trade_id DESC LIMIT $4;

-- name: trades_of_security_forward
SELECT * FROM trade WHERE security_id = $1 AND trade_id > $2 AND trade_id < $3
ORDER BY trade_id LIMIT $4;

-- name: trade_by_id
SELECT * FROM trade WHERE security_id = $1 AND trade_id = $2;

-- name: settlement_of_trade
SELECT * FROM settlement WHERE security_id = $1 AND trade_id = $2;
