"""Accounts and transactions, out to files and in from them."""
