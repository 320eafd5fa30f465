"""Bare Kafka clients: consume, produce in transactions, and nothing in between."""
