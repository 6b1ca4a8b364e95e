-- What the projection follows: one table, which knows nothing of Lux.
CREATE TABLE accounts (
  id integer PRIMARY KEY,
  owner text NOT NULL,
  status text NOT NULL DEFAULT 'open',
  balance numeric(12, 2) NOT NULL DEFAULT 0
);
-- A deletion and a change of the primary key carry the whole old row.
ALTER TABLE accounts REPLICA IDENTITY FULL;
