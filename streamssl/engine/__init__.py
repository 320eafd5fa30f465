"""The daemon's loop, epochs, transactions, recovery: the journey of an event."""
