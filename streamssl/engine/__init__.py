"""The daemon's loop, epochs, transactions and recovery: the journey of an event.

`reproduce` and `backtest` hold the learner themselves, and load torch; what is here does not.
"""

from streamssl.engine.daemon import run_daemon
from streamssl.engine.engine import Engine
from streamssl.engine.summary import Summary

__all__ = ["Engine", "Summary", "run_daemon"]
