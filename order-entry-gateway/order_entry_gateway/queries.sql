-- What the gateway reads of `market_data` at its start, in one snapshot with consumer_position.

-- name: clients
-- The keys of all clients that the feed has stored.
SELECT client_id, api_key_hash FROM client;

-- name: greatest_order_id
-- New ids begin above it, also when the clock was set back. Those from $1 on are forged.
SELECT coalesce(max(order_id), 0) FROM orders WHERE order_id < $1;
