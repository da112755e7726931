-- The rows that were there before 0010 are read through. This lock stops neither payments nor reads.
-- depends: 0010.schedules

ALTER TABLE transaction VALIDATE CONSTRAINT transaction_capture_check;
