"""Peers, as scripts for the environment of `peers.lock`; they import nothing of streamssl."""
