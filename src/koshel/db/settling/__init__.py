"""One batch's transaction: resolve, lock, write."""
