"""The commands of callers: routes and library build them here."""
