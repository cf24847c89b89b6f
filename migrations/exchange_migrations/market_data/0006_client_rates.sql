-- How fast a client may send orders, where the operator has set that: NULL is as for everybody.
-- The gateways read it at their start.

CREATE TABLE client_rate (
    client_id text PRIMARY KEY,
    orders_per_second bigint CHECK (orders_per_second >= 0),
    order_burst bigint CHECK (order_burst >= 1)
);
