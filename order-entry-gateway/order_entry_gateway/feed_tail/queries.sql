-- What the gateway reads of `market_data` at its start, in one snapshot with consumer_position.

-- name: clients
-- The keys of all clients that the feed has stored.
SELECT client_id, api_key_hash FROM client;

-- name: client_rates
-- The rates of clients for whom the operator has set one that is not that of everybody.
SELECT client_id, orders_per_second, order_burst FROM client_rate
WHERE orders_per_second IS NOT NULL OR order_burst IS NOT NULL;

-- name: securities
-- The securities that the feed has stored, and the states in which they were.
SELECT security_id, tick_e4, lot_quantity, reference_price_e4, state, auction, until_us
FROM security ORDER BY security_id;

-- name: greatest_order_id
-- New ids begin above it, also when the clock was set back. Those from $1 on are forged.
SELECT coalesce(max(order_id), 0) FROM orders WHERE order_id < $1;
