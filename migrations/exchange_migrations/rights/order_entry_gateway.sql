-- At its start the gateway learns the clients' keys, the states of securities, how far they are
-- stored, and which order ids are taken.
GRANT SELECT ON client, security, consumer_position TO order_entry_gateway;
GRANT SELECT (order_id) ON orders TO order_entry_gateway;
