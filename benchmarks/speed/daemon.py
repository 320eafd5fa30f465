"""The daemon as a process under measurement."""

from __future__ import annotations

import time

from benchmarks.speed.child import MeasurementError
from benchmarks.speed.scrapes import Scrape
from streamssl.devkit.daemon import DaemonProcess

_EVERY_S = 0.5


class MeasuredDaemon(DaemonProcess):
    """`streamssl run`, scraped while it works; at the end of the block it drains and saves."""

    drain_s = 60.0

    def scrape(self) -> Scrape | None:
        """Its figures now; None while it does not answer.

        Raises:
            MeasurementError: It ended; its last lines are in the text.
        """
        last_words = self.last_words()
        if last_words is not None:
            raise MeasurementError(last_words)
        exposition = self.exposition()
        return Scrape(time.time(), exposition) if exposition else None

    def scrape_until(self, num_events: int, timeout_s: float) -> list[Scrape]:
        """Scrapes twice a second, until it has committed so many events.

        Raises:
            MeasurementError: It ended, or it takes too long.
        """
        scrapes: list[Scrape] = []
        deadline = time.monotonic() + timeout_s
        while not scrapes or scrapes[-1].events < num_events:
            time.sleep(_EVERY_S)
            scrape = self.scrape()
            scrapes += [scrape] if scrape else []
            if time.monotonic() > deadline:
                done = scrapes[-1].events if scrapes else 0
                raise MeasurementError(f"{done} of {num_events} events within {timeout_s:.0f} s")
        return scrapes
