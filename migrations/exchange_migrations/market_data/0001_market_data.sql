-- What the market data feed has read from `data_feed`, as far as consumer_position says.
-- Amounts are integers in 1/10,000 of a currency unit (_e4), quantities whole shares, times
-- microseconds since 1970-01-01 UTC (_us). `seq` is the engine's event number; `report_seq`
-- numbers the reports (of orders, trades and settlements) in the order in which the feed read them.

-- The text of ids compares fastest by its bytes.
CREATE DOMAIN id_text AS text COLLATE "C";

-- Who may trade. The gateway reads this at its start, to learn the keys.
CREATE TABLE client (
    client_id         id_text PRIMARY KEY,
    api_key_hash      id_text NOT NULL UNIQUE,
    opened_us         bigint  NOT NULL,
    opening_equity_e4 bigint  NOT NULL  -- cash and shares at the opening, at the prices then
);

CREATE TABLE security (
    security_id        id_text PRIMARY KEY,
    tick_e4            bigint NOT NULL,
    reference_price_e4 bigint NOT NULL,
    granted_quantity   bigint NOT NULL,
    last_e4            bigint,          -- no trade yet: NULL
    volume             bigint NOT NULL,
    trades             bigint NOT NULL,
    seq                bigint NOT NULL, -- of the last change of its price, and when that was
    time_us            bigint NOT NULL
);

-- Cash as the engine has it (every trade at once), and as the ledger has it (settled).
CREATE TABLE balance (
    client_id       id_text PRIMARY KEY,
    cash_e4         bigint NOT NULL,
    settled_cash_e4 bigint NOT NULL,
    trades          bigint NOT NULL,
    volume          bigint NOT NULL
) WITH (fillfactor = 50);

-- Shares likewise; cost_e4 is what was paid for those that are there.
CREATE TABLE holding (
    client_id        id_text NOT NULL,
    security_id      id_text NOT NULL,
    quantity         bigint  NOT NULL,
    settled_quantity bigint  NOT NULL,
    cost_e4          bigint  NOT NULL,
    PRIMARY KEY (client_id, security_id)
) WITH (fillfactor = 50);

-- The latest state of every order that the engine has answered.
CREATE TABLE orders (
    order_id        bigint  PRIMARY KEY,
    unit_hold_e4    bigint  NOT NULL,
    price_e4        bigint,
    quantity        bigint  NOT NULL,
    filled_quantity bigint  NOT NULL,
    notional_e4     bigint  NOT NULL,  -- sum of price × quantity over the fills
    last_trade_id   bigint,
    seq             bigint  NOT NULL,
    created_us      bigint  NOT NULL,
    updated_us      bigint  NOT NULL,
    is_open         boolean NOT NULL,
    client_id       id_text NOT NULL,
    security_id     id_text NOT NULL,
    side            text    NOT NULL,
    order_type      text    NOT NULL,
    time_in_force   text    NOT NULL,
    status          text    NOT NULL,
    client_order_id text,
    reason          text,
    message         text,
    options         jsonb,             -- what most orders do not have, by the command's field names
    displayed_quantity bigint          -- of an iceberg: the part that is in the book now
) WITH (fillfactor = 90);
CREATE INDEX orders_of_client ON orders (client_id, order_id);
CREATE INDEX orders_open ON orders (order_id) WHERE is_open;

-- Confirmations and denials of orders: the gateway's, and the engine's refusals.
CREATE TABLE order_report (
    report_seq      bigint NOT NULL,
    order_id        bigint,
    time_us         bigint NOT NULL,
    quantity        bigint,
    price_e4        bigint,
    client_id       id_text NOT NULL,
    security_id     id_text,
    status          text NOT NULL,
    side            text,
    client_order_id text,
    reason          text,
    message         text
);
CREATE INDEX order_report_of_client ON order_report (client_id, report_seq);
CREATE INDEX order_report_of_order ON order_report (order_id);

CREATE TABLE trade (
    trade_id       bigint  NOT NULL,
    report_seq     bigint  NOT NULL,
    seq            bigint  NOT NULL,
    execution_seq  bigint  NOT NULL,
    time_us        bigint  NOT NULL,
    price_e4       bigint  NOT NULL,
    quantity       bigint  NOT NULL,
    buy_order_id   bigint  NOT NULL,
    sell_order_id  bigint  NOT NULL,
    buyer_fee_e4   bigint  NOT NULL,
    seller_fee_e4  bigint  NOT NULL,
    buy_remaining_quantity  bigint NOT NULL,
    sell_remaining_quantity bigint NOT NULL,
    security_id    id_text NOT NULL,
    buyer_id       id_text NOT NULL,
    seller_id      id_text NOT NULL,
    aggressor_side text    NOT NULL,
    PRIMARY KEY (security_id, trade_id)
);
CREATE INDEX trade_of_buyer ON trade (buyer_id, report_seq);
CREATE INDEX trade_of_seller ON trade (seller_id, report_seq);

-- The clearinghouse's reports. They may be read before the trade itself is, so they stand alone.
CREATE TABLE settlement (
    trade_id      bigint  NOT NULL,
    report_seq    bigint  NOT NULL,
    execution_seq bigint  NOT NULL,
    time_us       bigint  NOT NULL,
    price_e4      bigint  NOT NULL,
    quantity      bigint  NOT NULL,
    buy_order_id  bigint  NOT NULL,
    sell_order_id bigint  NOT NULL,
    buyer_fee_e4  bigint  NOT NULL,
    seller_fee_e4 bigint  NOT NULL,
    security_id   id_text NOT NULL,
    buyer_id      id_text NOT NULL,
    seller_id     id_text NOT NULL,
    PRIMARY KEY (security_id, trade_id)
);
CREATE INDEX settlement_of_buyer ON settlement (buyer_id, report_seq);
CREATE INDEX settlement_of_seller ON settlement (seller_id, report_seq);

-- Best prices: every change while the market is slow, the last of each stored batch while it is
-- fast.
CREATE TABLE price (
    security_id  id_text NOT NULL,
    seq          bigint  NOT NULL,
    time_us      bigint  NOT NULL,
    bid_e4       bigint,
    bid_quantity bigint  NOT NULL,
    ask_e4       bigint,
    ask_quantity bigint  NOT NULL,
    last_e4      bigint,
    PRIMARY KEY (security_id, seq)
);

-- How far `data_feed` is stored; changes in the transaction that stores.
CREATE TABLE consumer_position (
    queue    text   PRIMARY KEY,
    position bigint NOT NULL,
    sources  text   NOT NULL
);

-- Likewise: the last execution_seq and report_seq that are stored.
CREATE TABLE progress (
    only_row      boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    execution_seq bigint  NOT NULL,
    report_seq    bigint  NOT NULL
);
