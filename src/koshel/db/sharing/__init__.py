"""Reads and dry runs share a few connections."""
