"""What production does to a daemon, done on purpose: faults, and a count by somebody else.

A scenario is one file: what it does, what must hold, and what was measured. `scenarios.py` lists
them, `forms.py` says how large they are (short in `make test`, long in `make chaos`).
"""
