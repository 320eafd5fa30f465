"""A broker of one's own, a stream with injected faults, a live view."""
