"""Pictures of the books, drawn with matplotlib: an account's statement, and what has moved in a ledger."""
