-- A gateway leases one of the nodes, which are there from the beginning. At its start it learns the
-- clients' keys and rates, the states of securities, how far they are stored, and which order ids
-- are taken.
GRANT SELECT ON client, client_rate, security, consumer_position TO order_entry_gateway;
GRANT SELECT (order_id) ON orders TO order_entry_gateway;
GRANT SELECT, UPDATE (holder, expires_at, ids_until_ms) ON gateway_node TO order_entry_gateway;
