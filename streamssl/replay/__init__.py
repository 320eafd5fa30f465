"""What is kept of the past for training."""
