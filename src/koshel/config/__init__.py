"""What the service is told: settings, and the surroundings that they come from."""
