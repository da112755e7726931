"""A table for a terminal: columns that stand below each other, written while its rows are still being read."""

from collections.abc import Sequence

Row = Sequence[str]


class Table:
    """Columns with these heads; those in `to_the_right` have numbers. A column grows when a cell needs more room."""

    def __init__(self, heads: Row, to_the_right: Row = ()) -> None:
        self._heads = heads
        self._is_number = [head in to_the_right for head in heads]
        self._widths = [len(head) for head in heads]
        self._begun = False

    def text(self, rows: Sequence[Row]) -> str:
        """Some more rows, and above the first ones the heads."""
        for row in rows:
            self._widths = [max(width, len(cell)) for width, cell in zip(self._widths, row, strict=True)]
        lines = rows if self._begun else [self._heads, ["-" * width for width in self._widths], *rows]
        self._begun = True
        return "".join(self._line(row) for row in lines)

    def _line(self, row: Row) -> str:
        cells = [
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(row, self._widths, self._is_number, strict=True)
        ]
        return "  ".join(cells).rstrip() + "\n"
