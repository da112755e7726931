"""Ledgers and their keys."""
