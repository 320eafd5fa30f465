"""Peers and protocols that are measured beside streamssl."""
