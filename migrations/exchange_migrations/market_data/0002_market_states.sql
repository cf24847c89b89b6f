-- Terms and states of securities, auctions, and what accounts have paid in fees.

ALTER TABLE security
    ADD COLUMN lot_quantity        bigint NOT NULL DEFAULT 1,
    ADD COLUMN max_order_quantity  bigint,                    -- no such limit or band: NULL
    ADD COLUMN max_order_value_e4  bigint,
    ADD COLUMN static_band_ppm     bigint,
    ADD COLUMN dynamic_band_ppm    bigint,
    ADD COLUMN halt_us             bigint NOT NULL DEFAULT 0, -- how long the circuit breaker halts it
    ADD COLUMN auction_us          bigint NOT NULL DEFAULT 0, -- and how long the auction after that lasts
    ADD COLUMN short_margin_ppm    bigint,                    -- no short selling: NULL
    ADD COLUMN state               text   NOT NULL DEFAULT 'continuous',
    ADD COLUMN auction             text,                      -- which kind of auction it is in
    ADD COLUMN until_us            bigint,                    -- when its state changes by itself
    ADD COLUMN indicative_price_e4 bigint,                    -- what its auction would do now
    ADD COLUMN indicative_quantity bigint NOT NULL DEFAULT 0,
    ADD COLUMN surplus             bigint NOT NULL DEFAULT 0;

-- In an auction nobody is the aggressor.
ALTER TABLE trade ALTER COLUMN aggressor_side DROP NOT NULL;

-- Of a position below zero, holding.cost_e4 is what its sale brought, below zero too.
ALTER TABLE balance ADD COLUMN fees_e4 bigint NOT NULL DEFAULT 0;

UPDATE balance SET fees_e4 = paid.fees_e4
FROM (
    SELECT client_id, sum(fee_e4)::bigint AS fees_e4
    FROM (
        SELECT buyer_id AS client_id, buyer_fee_e4 AS fee_e4 FROM trade
        UNION ALL
        SELECT seller_id, seller_fee_e4 FROM trade
    ) AS fee
    GROUP BY client_id
) AS paid
WHERE paid.client_id = balance.client_id;
