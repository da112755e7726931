"""What the machine, or the container, gives this process: cores and memory."""
