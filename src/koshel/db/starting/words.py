"""What libpq says of a server that it cannot reach, in one line: which server, and why."""

import re

import psycopg

_REASON = r"failed: ([^\n]*)"
_OF_VALUES = {"22", "23"}  # classes of SQLSTATE
_FAILURES = (
    re.compile(rf'connection to server at "([^"]*)"(?: \([^)]*\))?, port (\d+) {_REASON}'),
    re.compile(rf'connection to server on socket "([^"]*)()" {_REASON}'),
    re.compile(r"failed to resolve host '([^']*)()': (?:\[Errno -?\d+\] )?([^\n]*)"),
)


def of(error: psycopg.Error) -> str:
    """Host, port and reason of each server that was tried; of any other error, what it says."""
    text = str(error).strip()
    if error.sqlstate is not None:
        # The details of a row that was refused quote it: they are personal.
        return text if error.sqlstate[:2] not in _OF_VALUES else text.partition("\nDETAIL:")[0]
    found = [match for pattern in _FAILURES for match in pattern.findall(text)]
    each = dict.fromkeys(f"{host}:{port}: {why}" if port else f"{host}: {why}" for host, port, why in found)
    return "; ".join(each) or text
