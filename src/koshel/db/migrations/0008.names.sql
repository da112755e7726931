-- An account may have a name, which is its client's own, and never changes.
-- depends: 0007.erasure

-- A domain, since its rule is looked at when a name is written, and not again with every balance: see decision 34. It has its
-- rule only after the column, or all accounts would be written anew.
CREATE DOMAIN account_name AS text COLLATE "C";

ALTER TABLE account ADD COLUMN name account_name;
