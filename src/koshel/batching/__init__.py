"""Many callers in, few transactions out: knows nothing of money."""
