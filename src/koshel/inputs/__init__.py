"""The one front door for values that callers give."""
