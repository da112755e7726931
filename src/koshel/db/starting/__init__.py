"""Where the database is, and what the start proves of it."""
