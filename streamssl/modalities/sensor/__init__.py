"""Numeric channels over time."""
