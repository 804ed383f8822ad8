"""Put a learner's file before the witnesses: PyTorch, finite differences, laws and the tape."""
