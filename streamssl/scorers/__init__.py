"""What is anomalous, and how surprising that is."""
