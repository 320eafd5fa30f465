"""Where events come from and results go: Kafka, files, memory."""
