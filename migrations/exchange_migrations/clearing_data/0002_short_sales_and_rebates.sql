-- Short selling: a client that sold shares which it does not have owes them, so its account of a
-- security may be below zero. Which securities may be sold short is the matching engine's to know.
-- Rebates: house:fees pays them. An order keeps the rates under which it was accepted, so a rebate
-- of earlier terms may be more than the fee that the other side pays by now, and house:fees may be
-- below zero too.
-- What must never be is left: a client that owes cash.
ALTER TABLE account
    DROP CONSTRAINT account_not_negative,
    ADD CONSTRAINT client_cash_not_negative CHECK (
        balance >= 0
        OR asset <> 'cash'
        OR owner IN ('house:issuer', 'house:settlement_bank', 'house:fees')
    );
