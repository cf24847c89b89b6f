-- The lease of a gateway's node. Times are those of Postgres, and ids are told by their millisecond.

-- name: take_node
-- Take the lowest free node. $1 holder, $2 seconds, $3 the millisecond of the next id, $4 how many
-- milliseconds of ids are reserved.
WITH free AS (
    SELECT node, ids_until_ms FROM gateway_node
    WHERE expires_at <= clock_timestamp()
    ORDER BY node LIMIT 1
    FOR UPDATE SKIP LOCKED
)
UPDATE gateway_node AS taken SET
    holder = $1,
    expires_at = clock_timestamp() + make_interval(secs => $2),
    ids_until_ms = greatest(free.ids_until_ms, $3::bigint) + $4::bigint
FROM free WHERE taken.node = free.node
RETURNING taken.node, free.ids_until_ms AS ids_after_ms, taken.ids_until_ms;

-- name: renew_node
-- Only a lease that has not expired is renewed; nothing is returned for any other. $5 is the node.
UPDATE gateway_node SET
    expires_at = clock_timestamp() + make_interval(secs => $2),
    ids_until_ms = greatest(ids_until_ms, $3::bigint + $4::bigint)
WHERE node = $5 AND holder = $1 AND expires_at > clock_timestamp()
RETURNING ids_until_ms;

-- name: release_node
-- Give a node back: its ids go on after the last one that was made, in the millisecond $3.
UPDATE gateway_node SET holder = NULL, expires_at = clock_timestamp(), ids_until_ms = $3
WHERE node = $2 AND holder = $1;

-- name: lost_nodes
-- The nodes whose holders have not renewed their leases, and whom nobody has followed.
SELECT node, holder, ids_until_ms FROM gateway_node
WHERE holder IS NOT NULL AND expires_at <= clock_timestamp()
ORDER BY node;

-- name: free_node
-- The holder of a node ($1 holder, $2 node) is fenced.
UPDATE gateway_node SET holder = NULL
WHERE node = $2 AND holder = $1 AND expires_at <= clock_timestamp();
