-- The transactions become partitions by id: a range is said for those that are there, which 0021 makes the first partition.
-- depends: 0019.books

-- Ids up to a million boundary, and room for a million more at least: what is still written meanwhile is within it. The
-- name of a partition says the million that it begins with.
DO $$
DECLARE
    bound bigint;
BEGIN
    SELECT CASE WHEN is_called THEN (last_value / 1000000 + 2) * 1000000 ELSE 1000000 END INTO bound FROM transaction_id;
    -- Not read through under this lock, which stops payments, but by the next migration, which stops none.
    EXECUTE format(
        'ALTER TABLE transaction ADD CONSTRAINT transaction_range CHECK (id < %s) NOT VALID', bound
    );
END
$$;
