-- The ledger of the clearinghouse: who has how much of what, and every transfer that made it so.
-- Amounts are integers: cash in 1/10,000 of a currency unit, shares whole.

-- What one owner has of one asset: 'cash', or the shares of a security by its id.
-- Owners are clients by their id, and the house's own accounts, which have a colon in their names:
-- house:issuer (issues shares), house:settlement_bank (pays in opening cash), house:fees.
-- What clients have is balanced by what the issuer and the bank owe, so only those two may be
-- negative, and the sum over all accounts of an asset is always zero.
CREATE TABLE account (
    id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner   text COLLATE "C" NOT NULL,
    asset   text COLLATE "C" NOT NULL,
    balance bigint NOT NULL DEFAULT 0,
    UNIQUE (owner, asset),
    CONSTRAINT account_not_negative CHECK (
        balance >= 0 OR owner IN ('house:issuer', 'house:settlement_bank')
    )
) WITH (fillfactor = 50);  -- room on each page, so that a new balance needs no new index entry

-- One movement of one asset: the debited account gives, the credited account gets.
-- execution_seq and leg are those of the execution that asked for it; the legs of a trade are
-- 1 cash (buyer to seller), 2 shares (seller to buyer), 3 the buyer's fee, 4 the seller's fee.
CREATE TABLE transfer (
    execution_seq  bigint   NOT NULL,
    amount         bigint   NOT NULL CHECK (amount > 0),
    debit_account  integer  NOT NULL,
    credit_account integer  NOT NULL,
    leg            smallint NOT NULL CHECK (leg > 0),
    PRIMARY KEY (execution_seq, leg),
    CHECK (debit_account <> credit_account)
);

-- A settled trade. Price × quantity and the quantity are the amounts of its cash and share legs.
CREATE TABLE trade_settlement (
    trade_id      bigint PRIMARY KEY,
    execution_seq bigint NOT NULL,
    buy_order_id  bigint NOT NULL,
    sell_order_id bigint NOT NULL,
    executed_us   bigint NOT NULL  -- microseconds since 1970-01-01 UTC
);

-- How far `order_execution` is booked; changes in the transaction that books.
CREATE TABLE consumer_position (
    queue    text   PRIMARY KEY,
    position bigint NOT NULL,
    sources  text   NOT NULL
);

-- Reports of committed bookings that are not known to be in `data_feed` yet, as encoded messages.
CREATE TABLE outbox (
    first_seq bigint PRIMARY KEY,
    last_seq  bigint NOT NULL CHECK (last_seq >= first_seq),
    body      bytea  NOT NULL
);
ALTER TABLE outbox ALTER COLUMN body SET STORAGE EXTERNAL;  -- it is gone before compressing pays

-- What follows guards the ledger against everybody, the clearinghouse included. The checks run
-- once per statement: foreign keys, which run once per row, would cost more than the booking.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: the journal is immutable', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER transfer_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON transfer
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER trade_settlement_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON trade_settlement
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER account_permanent BEFORE DELETE OR TRUNCATE ON account
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION check_transfers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM inserted
        LEFT JOIN account AS debit ON debit.id = inserted.debit_account
        LEFT JOIN account AS credit ON credit.id = inserted.credit_account
        WHERE debit.asset IS DISTINCT FROM credit.asset OR debit.asset IS NULL
    ) THEN
        RAISE EXCEPTION 'a transfer is between two accounts of the same asset'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER transfer_checked AFTER INSERT ON transfer
    REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION check_transfers();

CREATE FUNCTION check_delivery_versus_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM inserted
        WHERE (
            SELECT count(*) FROM transfer
            WHERE transfer.execution_seq = inserted.execution_seq AND transfer.leg IN (1, 2)
        ) <> 2
    ) THEN
        RAISE EXCEPTION 'a settlement has both a cash leg and a share leg'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER trade_settlement_checked AFTER INSERT ON trade_settlement
    REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION check_delivery_versus_payment();

CREATE FUNCTION check_conservation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (
            SELECT asset, balance FROM new_accounts
            UNION ALL
            SELECT asset, -balance FROM old_accounts
        ) AS change
        GROUP BY asset HAVING sum(balance) <> 0
    ) THEN
        RAISE EXCEPTION 'a change of balances must neither make nor destroy any of an asset'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER account_conserved AFTER UPDATE ON account
    REFERENCING OLD TABLE AS old_accounts NEW TABLE AS new_accounts
    FOR EACH STATEMENT EXECUTE FUNCTION check_conservation();

CREATE FUNCTION check_new_accounts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM inserted WHERE balance <> 0) THEN
        RAISE EXCEPTION 'a new account is empty'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF EXISTS (
        SELECT FROM inserted
        WHERE owner !~ '^[A-Za-z0-9_-]{1,32}$'
            AND owner NOT IN ('house:issuer', 'house:settlement_bank', 'house:fees')
    ) THEN
        RAISE EXCEPTION 'an account belongs to a client or to the house'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER account_begins_empty AFTER INSERT ON account
    REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION check_new_accounts();
