"""What demo, tests and benchmarks share.

A broker on loopback with plain clients, the daemon as a process, and the count that proves
exactly-once.
"""
