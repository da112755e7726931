"""The books, to read: lists, lines, totals."""
