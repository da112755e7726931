"""Proof of the books, from the rows alone."""
