"""Bytes in, bytes out: no SQL, no rules."""
