-- The embedded log: what `exchange_shared.bus.sqlite_file` makes of an empty file.

BEGIN IMMEDIATE;

-- The messages of all queues in the order in which they were written; `position` counts from 1 in
-- each queue.
CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    position INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (queue, position)
);

-- The drawer for messages that nobody could read keeps the newest 1,000.
CREATE TRIGGER trim_dead_letters AFTER INSERT ON message WHEN new.queue = 'dead_letter'
BEGIN
    DELETE FROM message WHERE queue = new.queue AND position <= new.position - 1000;
END;

PRAGMA user_version = 1;

COMMIT;
