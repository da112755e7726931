"""The cells of a CSV file that is safe to open in a spreadsheet, and can be read again unchanged.

A spreadsheet takes a text that begins with = + - or @ for a formula, and may run it. Such a text has an apostrophe
before it; so has one that begins with an apostrophe, so that each can be taken away again. Numbers are no such text.
"""

import re

FORMULA = tuple("=+-@＝＋－＠\t\r\n'")  # noqa: RUF001  the wide ones are formulas in some spreadsheets too

_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,80})?")


def safe(text: str) -> str:
    """The text as a cell, so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(FORMULA) and not _NUMBER.fullmatch(text) else text


def unsafe(cell: str) -> str:
    """The text that `safe` has made the cell of; any other cell is its own text."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(FORMULA) else cell
