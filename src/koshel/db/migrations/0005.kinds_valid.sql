-- The rows that were there before 0004 are read through. This lock stops neither payments nor reads.
-- depends: 0004.kinds

ALTER TABLE transaction VALIDATE CONSTRAINT transaction_kind_check;
