-- Only one clearinghouse books at a time; the ledger survives a power cut whatever the server's
-- default says. Lasts until the end of the transaction.
-- name: begin_booking
SELECT set_config('synchronous_commit', 'on', true), pg_advisory_xact_lock(6013)

-- name: load_accounts
SELECT account.id, account.owner, account.asset, account.balance
FROM unnest($1::text[], $2::text[]) AS wanted (owner, asset)
JOIN account USING (owner, asset)

-- name: create_accounts
INSERT INTO account (owner, asset)
SELECT owner, asset FROM unnest($1::text[], $2::text[]) AS wanted (owner, asset)
RETURNING id, owner, asset

-- Everything that a batch of executions adds, at once: its transfers ($1 to $5), which move the
-- balances, its settlements ($6 to $10), and its reports ($11 to $13), which take the place of those
-- published by now ($14).
-- name: book
WITH booked AS (
    INSERT INTO transfer (execution_seq, leg, debit_account, credit_account, amount)
    SELECT *
    FROM unnest($1::bigint[], $2::smallint[], $3::integer[], $4::integer[], $5::bigint[])
), settled AS (
    INSERT INTO trade_settlement
        (trade_id, execution_seq, buy_order_id, sell_order_id, executed_us)
    SELECT *
    FROM unnest($6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[])
), reported AS (
    INSERT INTO outbox (first_seq, last_seq, body) VALUES ($11, $12, $13)
)
DELETE FROM outbox WHERE last_seq <= $14

-- What is booked of some executions, to compare a second copy of them with.
-- name: booked_transfers
SELECT transfer.execution_seq, transfer.leg,
       debit.owner AS debit_owner, debit.asset AS debit_asset,
       credit.owner AS credit_owner, credit.asset AS credit_asset, transfer.amount
FROM transfer
JOIN account AS debit ON debit.id = transfer.debit_account
JOIN account AS credit ON credit.id = transfer.credit_account
WHERE transfer.execution_seq = ANY($1::bigint[])
ORDER BY transfer.execution_seq, transfer.leg

-- name: booked_settlements
SELECT trade_id, execution_seq, buy_order_id, sell_order_id, executed_us
FROM trade_settlement
WHERE trade_id = ANY($1::bigint[])
ORDER BY trade_id

-- name: stored_reports
SELECT first_seq, last_seq, body FROM outbox WHERE first_seq > $1 ORDER BY first_seq LIMIT $2

-- name: delete_reports
DELETE FROM outbox WHERE last_seq <= $1
