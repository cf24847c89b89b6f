-- The journal (transfer, trade_settlement) can only grow, and moves the balances of accounts itself.
GRANT SELECT, INSERT ON transfer, trade_settlement TO clearinghouse;
GRANT SELECT, INSERT (owner, asset) ON account TO clearinghouse;
GRANT SELECT, INSERT, UPDATE ON consumer_position TO clearinghouse;
GRANT SELECT, INSERT, DELETE ON outbox TO clearinghouse;
