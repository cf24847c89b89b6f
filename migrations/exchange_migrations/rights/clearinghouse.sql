-- The journal (transfer, trade_settlement) can only grow; of an account only the balance changes.
GRANT SELECT, INSERT ON transfer, trade_settlement TO clearinghouse;
GRANT SELECT, INSERT (owner, asset), UPDATE (balance) ON account TO clearinghouse;
GRANT SELECT, INSERT, UPDATE ON consumer_position TO clearinghouse;
GRANT SELECT, INSERT, DELETE ON outbox TO clearinghouse;
