-- A balance is what transfers have made of it: they move it themselves, and nothing else may.

CREATE FUNCTION move_balances() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE account SET balance = account.balance + change.amount
    FROM (
        SELECT moved.account, sum(moved.amount)::bigint AS amount
        FROM (
            SELECT credit_account AS account, amount FROM inserted
            UNION ALL
            SELECT debit_account, -amount FROM inserted
        ) AS moved
        GROUP BY moved.account
    ) AS change
    WHERE account.id = change.account AND change.amount <> 0;
    RETURN NULL;
END $$;

-- After transfer_checked, because triggers of a kind run in the order of their names.
CREATE TRIGGER transfer_moves_balances AFTER INSERT ON transfer
    REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION move_balances();

CREATE FUNCTION refuse_other_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION 'UPDATE of account is refused: only transfers move balances'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER account_moved_by_transfers BEFORE UPDATE ON account
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_other_changes();

-- What transfers move adds up by itself.
DROP TRIGGER account_conserved ON account;
DROP FUNCTION check_conservation();
