-- Of an order that the engine refused, its time in force is not told: NULL.

ALTER TABLE orders ALTER COLUMN time_in_force DROP NOT NULL;

UPDATE orders SET time_in_force = NULL WHERE status = 'rejected';
