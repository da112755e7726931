"""Puts the schema into a statement of `queries.sql`, where tables have none: before each, wherever it is named."""

import re

_TABLE = (
    "ledger|currency|account|transaction|receipt|batch|hold|queued|declined|cancelled|turnover|split|exchange"
    "|transaction_change|account_change|api_key|_yoyo_migration"
)
# Before a name that gets its schema. Without a `\b` at their beginning: that is tried at each character of the file.
_TABLES = re.compile(rf"(?:FROM|JOIN|INTO|UPDATE|USING) (?=(?:{_TABLE}|erase_account|make_partitions)\b)")
_NAMED = re.compile(r"(?:nextval|pg_sequence_last_value|to_regclass)\('(?=\w+'\))")


def qualified(statement: str, schema: str) -> str:
    """The statement, with the schema before the name of each table, each sequence and the function of Koshel's.

    They follow a keyword on the same line; a WITH query or an alias must not have the name of a table.
    """
    quoted = '"{}"'.format(schema.replace('"', '""'))
    literal = quoted.replace("'", "''")
    named = _TABLES.sub(lambda match: f"{match[0]}{quoted}.", statement)
    return _NAMED.sub(lambda match: f"{match[0]}{literal}.", named)
