-- How many rows of the ledger each process has lost, and how many of those a server has counted. Who loses a row cannot
-- write it down; that it was lost, it can say with its next heartbeat.
ALTER TABLE processes ADD COLUMN lost_rows INTEGER NOT NULL DEFAULT 0;
ALTER TABLE processes ADD COLUMN lost_rows_counted INTEGER NOT NULL DEFAULT 0;
