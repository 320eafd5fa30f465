"""Messages that cannot be read, and one that kills whoever reads it."""

from __future__ import annotations

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chaos import deadly
from benchmarks.chaos.deployment import Deployment
from benchmarks.chaos.forms import Form
from benchmarks.chaos.kills import EXACTLY_ONCE
from benchmarks.chaos.outcome import ScenarioOutcome
from benchmarks.chaos.settings import NUM_CHANNELS, SMALL
from benchmarks.chaos.site import Site
from benchmarks.chaos.source import NUM_PARTITIONS, channels
from benchmarks.chaos.worker import Worker, until

LIMIT_S = 1_500.0
MOST_GROWTH_MB = 100.0
MOST_DEATHS = 6
# A burst of training costs as much as the messages of seconds, and moves with a daemon's speed.
STEADY_COST = {"learn": {"burst_steps": 0}}
DEADLY_ENTRY = ("-P", str(Path(deadly.__file__)))


@dataclass(frozen=True)
class BadMessage:
    """A message that cannot be read, and the reason that its dead letter must give."""

    value: bytes | None
    reason: str
    key: bytes = b"m1"


KINDS: dict[str, BadMessage] = {
    "no bytes": BadMessage(b"", "empty"),
    "tombstone": BadMessage(None, "empty"),
    "cut off": BadMessage(b'{"c0": 1', "bad_json"),
    "only a brace": BadMessage(b"{", "bad_json"),
    "trailing text": BadMessage(b'{"c0": 1} x', "bad_json"),
    "single quotes": BadMessage(b"{'c0': 1}", "bad_json"),
    "binary": BadMessage(b"\xff\xfe\x00\x80", "bad_json"),
    "zeros": BadMessage(bytes(1_000), "bad_json"),
    "infinity": BadMessage(b'{"c0": Infinity}', "not_finite"),
    "hexadecimal": BadMessage(b'{"c0": 0x10}', "bad_json"),
    "array": BadMessage(b"[]", "wrong_type"),
    "null": BadMessage(b"null", "wrong_type"),
    "text": BadMessage(b'"x"', "wrong_type"),
    "number": BadMessage(b"12", "wrong_type"),
    "text in a channel": BadMessage(b'{"c0": "x"}', "wrong_type"),
    "object in a channel": BadMessage(b'{"c0": {}}', "wrong_type"),
    "array in a channel": BadMessage(b'{"c0": [1, 2]}', "wrong_type"),
    "beyond float64": BadMessage(b'{"c0": 1e999}', "not_finite"),
    "beyond float32": BadMessage(b'{"c0": 1e39}', "not_finite"),
    "no channel": BadMessage(b'{"z": 1}', "missing_field"),
    "nested too deeply": BadMessage(b'{"z": ' + b"[" * 20_000, "too_deep"),
    "key not UTF-8": BadMessage(b'{"c0": 1}', "bad_key", key=b"\xff\xfe"),
    "key too long": BadMessage(b'{"c0": 1}', "bad_key", key=b"k" * 300),
    "too large": BadMessage(b'{"c0": 1, "z": "' + b"x" * 1_100_000 + b'"}', "too_large"),
}
# Large ones are rare, or the stream would consist of little else.
RARE = {"too large": 0.05, "nested too deeply": 0.2}


@dataclass(frozen=True)
class BacklogSpeed:
    """How a daemon went through a backlog.

    Attributes:
        per_s: Messages a second.
        cpu_us: Time on a processor for each, engine and learner together.
        growth_mb: Memory at its most, above that after a fifth of the input.
    """

    per_s: float
    cpu_us: float
    growth_mb: float


def poison(form: Form, site: Site) -> ScenarioOutcome:
    """Bad among good: all set aside with reason and origin, no neighbour touched, hardly slower."""
    outcome = ScenarioOutcome(
        f"{form.bad:,} bad messages of {len(KINDS)} kinds among {form.good:,} good"
    )
    with (
        _deployment(site) as without,
        _deployment(site) as deployment,
        deployment.auditor() as auditor,
    ):
        _fill(without, form.good, 0)
        _fill(deployment, form.good, form.bad)
        # Side by side, so that both share whatever else the machine does.
        with ThreadPoolExecutor(2) as pool:
            other = pool.submit(_speed, without, form.good)
            poisoned, clean = _speed(deployment, form.good), other.result()
        auditor.wait_for_all(LIMIT_S)
        tally, kinds = auditor.tally(), deployment.source.kinds
        wrong = Counter(
            f"{kind} as {auditor.reasons.get(place)}"
            for place, kind in kinds.items()
            if auditor.reasons.get(place) != KINDS[kind].reason
        )
        num_kinds = len({*kinds.values()})
    outcome.expect("every one has its result, and no neighbour is touched", tally.exact, tally)
    told = f"{num_kinds} kinds, {tally.dead_letters:,} letters; wrong: {dict(wrong) or 'none'}"
    outcome.expect("each is a dead letter with its reason and origin", not wrong, told)
    slower = poisoned.cpu_us / clean.cpu_us - 1
    told = (
        f"{poisoned.cpu_us:.0f} instead of {clean.cpu_us:.0f} µs of processor time a message "
        f"({slower:+.1%}); {poisoned.per_s:,.0f} instead of {clean.per_s:,.0f}/s"
    )
    text = f"throughput falls by less than {form.most_slower:.0%}"
    outcome.expect(text, slower < form.most_slower, told)
    grew = poisoned.growth_mb
    text = f"memory of both processes grows by less than {MOST_GROWTH_MB:.0f} MB"
    outcome.expect(text, grew < MOST_GROWTH_MB, f"{grew:.0f} MB, {clean.growth_mb:.0f} without")
    return outcome


def killing(_: Form, site: Site) -> ScenarioOutcome:
    """A message that kills the process three times is set aside; its neighbours are scored."""
    outcome = ScenarioOutcome("one message, among 600, that kills the process with signal 9")
    with site.deployment(SMALL, unreadable=0.0) as deployment, deployment.auditor() as auditor:
        deployment.source.produce(300)
        send = deployment.source.send
        send(deadly.DEADLY, key=b"m1", partition=1, kind="poison")
        deployment.source.produce(300)
        deaths, limit_s = 0, time.monotonic() + 400.0
        while auditor.num_seen() < deployment.num_produced and time.monotonic() < limit_s:
            with deployment.start(entry=DEADLY_ENTRY) as worker:
                while worker.poll() is None and auditor.num_seen() < deployment.num_produced:
                    auditor.look()
                deaths += worker.poll() is not None
                worker.drain()
        tally, reasons = auditor.tally(), list(auditor.reasons.values())
    text = f"it is set aside as poison after at most {MOST_DEATHS} deaths"
    right = reasons == ["poison"] and 3 <= deaths <= MOST_DEATHS
    outcome.expect(text, right, f"{deaths} deaths, reasons {reasons}")
    outcome.expect(EXACTLY_ONCE, tally.exact, tally)
    return outcome


def _deployment(site: Site) -> Deployment:
    return site.deployment(STEADY_COST, reading=channels(NUM_CHANNELS), unreadable=0.0)


def _fill(deployment: Deployment, good: int, bad: int) -> None:
    """Good messages, with bad ones among them at random places."""
    rng, source = random.Random(31), deployment.source
    weights = [RARE.get(kind, 1.0) for kind in KINDS]
    kinds = [*KINDS, *rng.choices([*KINDS], weights, k=max(0, bad - len(KINDS)))][:bad]
    places = iter([*sorted(rng.sample(range(200, good), bad)), good])
    place = next(places)
    for number in range(good):
        source.hand_over(1)
        while number == place:
            kind = kinds.pop()
            partition, wrong = rng.randrange(NUM_PARTITIONS), KINDS[kind]
            source.send(wrong.value, key=wrong.key, partition=partition, kind=kind)
            place = next(places)
    source.flush()


def _speed(deployment: Deployment, good: int) -> BacklogSpeed:
    """Run a daemon over everything, and measure it from a fifth on.

    By its own count: what an auditor has read is of an earlier moment than what was used so far.
    """
    with deployment.start() as worker:
        begun = _wait_for(worker, good // 5)
        last = first = worker.vitals()
        most_mb, num = first.memory_mb, begun
        while num < deployment.num_produced and last.at_s < first.at_s + LIMIT_S:
            num, last = _wait_for(worker, num + 1), worker.vitals()
            most_mb = max(most_mb, last.memory_mb)
        worker.drain()
    seconds, cpu_s = last.at_s - first.at_s, last.cpu_s - first.cpu_s
    return BacklogSpeed(
        (num - begun) / seconds, 1e6 * cpu_s / (num - begun), most_mb - first.memory_mb
    )


def _wait_for(worker: Worker, num_taken: int) -> int:
    """Return the worker's count as soon as it is so high; it moves with each transaction."""
    until(lambda: worker.num_taken() >= num_taken or worker.poll() is not None, LIMIT_S)
    return worker.num_taken()
