"""Single figures out of what a daemon serves on `/metrics`."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LABEL = re.compile(r'(\w+)="([^"]*)"')


def samples(exposition: str, name: str) -> Iterator[tuple[dict[str, str], float]]:
    """Labels and value of each sample of a metric.

    Whoever polls a daemon many times a second wants a few figures: parsing the whole exposition
    for them would take as long as the daemon takes to write it.

    Args:
        exposition: Prometheus text as the daemon writes it: no label value holds a quote.
        name: Of the metric, without `streamssl_`.

    Example:
        >>> list(samples('streamssl_loss{objective="moco"} 2.5', "loss"))
        [({'objective': 'moco'}, 2.5)]
    """
    pattern = rf"^streamssl_{re.escape(name)}(?:{{(.*)}})? (\S+)$"
    for labels, value in re.findall(pattern, exposition, re.MULTILINE):
        yield dict(_LABEL.findall(labels)), float(value)


def total(exposition: str, name: str, absent: float = 0.0, **labels: str) -> float:
    r"""Sum of a metric's samples that carry `labels`; `absent` where there is none.

    Example:
        >>> text = 'streamssl_lag{partition="0"} 3\nstreamssl_lag{partition="1"} 4\n'
        >>> total(text, "lag"), total(text, "lag", partition="1"), total(text, "rows", absent=-1.0)
        (7.0, 4.0, -1.0)
    """
    found = [value for own, value in samples(exposition, name) if labels.items() <= own.items()]
    return sum(found) if found else absent
