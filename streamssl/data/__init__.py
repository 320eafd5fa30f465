"""The words that all rooms share: events as columns, results, inputs of networks, per-key state."""
