"""Are the bits of another revision the bits of this one? Recorded on one machine, side by side."""
