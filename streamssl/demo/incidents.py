"""Incidents as the reader saw them, held against the faults that were injected.

The rules: a fault is *caught* by an incident of its key that opens between the fault's first
event and `grace_s` after its last; an incident is *false* if it overlaps no fault of its key,
the grace included. An incident's *top field* is the one named most often by its first eight
anomalous events (the earlier named of two equals): a single event may point at a neighbour.
"""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from streamssl.demo.script import InjectedFault

NUM_VOTES = 8
VOTING_S = 2.0
# Event times are whole milliseconds; less than one is a matter of how a float was read.
SAME_TIME_S = 5e-4


@dataclass(slots=True)
class Incident:
    """Consecutive anomalies of one key.

    Attributes:
        start: Event time of its first event.
        last: Event time of its last anomalous event so far.
        votes: Top field of each of its first anomalous events.
    """

    incident_id: str
    key: str
    start: float
    last: float
    votes: list[str] = field(default_factory=list)

    @property
    def top_field(self) -> str:
        """The field that the first events blame most."""
        return Counter(self.votes).most_common(1)[0][0] if self.votes else ""

    def settled(self, now: float) -> bool:
        """Whether its top field can no longer change, or only after an unusual wait."""
        return len(self.votes) == NUM_VOTES or now > self.start + VOTING_S


class IncidentBook:
    """Incidents by id, built from the published results in the order of each key."""

    def __init__(self) -> None:
        self._incidents: dict[str, Incident] = {}

    def add(
        self, incident_id: str, key: str, event_time: float, anomaly: bool, top_field: str
    ) -> Incident | None:
        """Take in one result that carries an incident id; the incident if it is a new one."""
        incident = self._incidents.get(incident_id)
        opened = None
        if incident is None:
            incident = opened = Incident(incident_id, key, event_time, event_time)
            self._incidents[incident_id] = incident
        if anomaly:
            incident.last = max(incident.last, event_time)
            if len(incident.votes) < NUM_VOTES:
                incident.votes.append(top_field)
        return opened

    def incidents(self) -> list[Incident]:
        """All of them, in the order in which they were first seen."""
        return list(self._incidents.values())


@dataclass(frozen=True, slots=True)
class Judgement:
    """One fault and the incident that caught it, if one did."""

    fault: InjectedFault
    incident: Incident | None

    @property
    def top_field_correct(self) -> bool:
        """True where it was caught and its own field was blamed."""
        return self.incident is not None and self.incident.top_field == self.fault.field


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Every fault judged, and the incidents that belong to none."""

    judgements: tuple[Judgement, ...] = ()
    false_incidents: tuple[Incident, ...] = ()

    @property
    def num_caught(self) -> int:
        """Faults that an incident caught."""
        return sum(judgement.incident is not None for judgement in self.judgements)


def evaluate(
    faults: Sequence[InjectedFault], incidents: Iterable[Incident], grace_s: float
) -> Evaluation:
    """Hold incidents against faults by the rules at the head of this file.

    Example:
        >>> fault = InjectedFault("pump-1", "flow", "drift", 10.0, 12.0)
        >>> late = Incident("a", "pump-1", 14.0, 14.5, ["flow"])
        >>> evaluate([fault], [late], grace_s=3.0).judgements[0].incident is late
        True
        >>> len(evaluate([fault], [late], grace_s=1.0).false_incidents)
        1
    """
    by_key: dict[str, list[Incident]] = defaultdict(list)
    for incident in sorted(incidents, key=lambda incident: incident.start):
        by_key[incident.key].append(incident)
    explained: set[str] = set()
    judgements = []
    for fault in faults:
        of_key = by_key[fault.key]
        start, stop = fault.start - SAME_TIME_S, fault.end + grace_s + SAME_TIME_S
        explained.update(i.incident_id for i in _overlapping(of_key, start, stop))
        judgements.append(Judgement(fault, _first_within(of_key, start, stop)))
    false = (i for of_key in by_key.values() for i in of_key if i.incident_id not in explained)
    return Evaluation(tuple(judgements), tuple(sorted(false, key=lambda incident: incident.start)))


def _first_within(of_key: list[Incident], start: float, stop: float) -> Incident | None:
    place = bisect.bisect_left(of_key, start, key=lambda incident: incident.start)
    return of_key[place] if place < len(of_key) and of_key[place].start <= stop else None


def _overlapping(of_key: list[Incident], start: float, stop: float) -> list[Incident]:
    """Incidents of one key do not overlap one another, so they end in the order they start."""
    first = bisect.bisect_left(of_key, start, key=lambda incident: incident.last)
    after = bisect.bisect_right(of_key, stop, key=lambda incident: incident.start)
    return of_key[first:after]
