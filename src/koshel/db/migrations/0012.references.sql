-- What a caller says of a transaction besides its metadata: a reference, a description, a value date.
-- depends: 0011.schedules_valid

-- The table is locked for a moment only: nothing is written for the rows that are there, nor for a plain transfer afterwards.
-- No CHECK, since each is begun anew in every batch (see 0003), and none of these moves money. A transaction without
-- effective_on counts for its own day in UTC.
ALTER TABLE transaction ADD COLUMN reference text COLLATE "C"; -- bytes are compared, whatever the database's language
ALTER TABLE transaction ADD COLUMN description text;
ALTER TABLE transaction ADD COLUMN effective_on date;
