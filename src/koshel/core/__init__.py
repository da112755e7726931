"""The rules, pure: accounts + commands → outcomes."""
