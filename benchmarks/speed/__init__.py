"""The speed benchmark: how fast each part is, beside what the machine and the broker allow.

Five parts, each measured on its own and kept as JSON: `stages`, `kafka`, `memory`, `latency` and
`keys`. The page is put together from the parts that are there.
"""
