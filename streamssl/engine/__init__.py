"""The daemon's loop, epochs, transactions and recovery: the journey of an event."""

from streamssl.engine.daemon import run_daemon
from streamssl.engine.loop import Engine
from streamssl.engine.replay import replay_journal
from streamssl.engine.watch import Summary

__all__ = ["Engine", "Summary", "replay_journal", "run_daemon"]
