"""Training runs: their settings, their folder on disk, checkpoints, several processes."""
