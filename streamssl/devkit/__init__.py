"""What demo, tests and benchmarks share: a broker on loopback, plain clients of it."""
