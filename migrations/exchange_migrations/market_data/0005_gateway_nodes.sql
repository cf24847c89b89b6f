-- The numbers of the gateways, which are part of the ids that they make. Each is leased to one of them.

CREATE TABLE gateway_node (
    node         smallint    PRIMARY KEY CHECK (node BETWEEN 0 AND 15),
    holder       text,                 -- the source under which it writes; NULL: it was given back, or is fenced
    expires_at   timestamptz NOT NULL, -- from when on another may take it
    ids_until_ms bigint      NOT NULL  -- ids may have been made up to this millisecond since 2026
);

INSERT INTO gateway_node SELECT node, NULL, '-infinity', 0 FROM generate_series(0, 15) AS node;
