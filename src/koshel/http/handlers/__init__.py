"""The routes, and what answers each."""
