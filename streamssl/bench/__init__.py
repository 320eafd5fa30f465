"""Quality protocol and metrics."""
