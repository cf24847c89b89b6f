-- Everything in market_data is the feed's own, except the journal of the migrations and the nodes of
-- the gateways; but clients and their keys are written once.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO market_data_feed;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO market_data_feed;
REVOKE UPDATE, DELETE, TRUNCATE ON client FROM market_data_feed;
REVOKE ALL ON schema_migrations, gateway_node FROM market_data_feed;
