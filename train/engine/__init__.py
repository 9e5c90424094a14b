"""The training loop and what every stage shares: settings, checkpoints, processes, records."""
