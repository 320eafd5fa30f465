"""Checkpoints that a disk, a hand or a crash has damaged."""

from __future__ import annotations

import json
import logging
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.chaos.forms import Form
from benchmarks.chaos.outcome import ScenarioOutcome
from benchmarks.chaos.settings import SMALL
from benchmarks.chaos.site import Site
from streamssl.checkpoint import CheckpointError, CorruptCheckpointError, store
from streamssl.config import Config
from streamssl.data.events import EventBatch
from streamssl.data.results import Decisions
from streamssl.stream import StreamLearner

LIMIT_S = 240.0
Damage = Callable[[Path, Path, random.Random], None]


def corruption(form: Form, site: Site) -> ScenarioOutcome:
    """Every damage is detected; the checkpoint before it is used, or the start ends with 4."""
    rng, kinds = random.Random(23), list(DAMAGES)
    outcome = ScenarioOutcome(f"{form.corruptions} damaged checkpoints of {len(kinds)} kinds")
    saved = site.folder / "saved"
    epochs = _save_two(saved)
    counts, detected, previous, refused = Counter[str](), 0, 0, 0
    for number in range(form.corruptions):
        kind = kinds[number % len(kinds)]
        folder = site.folder / "damaged"
        shutil.copytree(saved, folder)
        older, newer = reversed(store.checkpoints(folder))
        DAMAGES[kind](newer, older, rng)
        counts[kind] += 1
        detected += kind == "missing" or _is_refused(newer)
        with _without_warnings():
            found = store.load_newest(folder, on_corruption="previous")
        previous += found is not None and found.epoch == epochs[0]
        refused += kind == "missing" or _ends_with_4(folder)
        shutil.rmtree(folder)
    told = ", ".join(f"{kind} {num}" for kind, num in sorted(counts.items()))
    outcome.expect("every damage is detected", detected == form.corruptions, told)
    text = "the previous checkpoint is used"
    outcome.expect(text, previous == form.corruptions, f"{previous} of {form.corruptions}")
    text = "with `checkpoint.on_corruption: fail` the start ends with exit code 4"
    outcome.expect(text, refused == form.corruptions, f"{refused} of {form.corruptions}")
    return outcome


@contextmanager
def _without_warnings() -> Iterator[None]:
    """A thousand warnings that say what was done on purpose."""
    log = logging.getLogger("streamssl.checkpoint")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def exit_codes(form: Form, site: Site) -> ScenarioOutcome:
    """A daemon on a damaged checkpoint: the previous one and exit 0, or exit 4, by policy."""
    rng, kinds = random.Random(29), [kind for kind in DAMAGES if kind != "missing"]
    num = min(len(kinds), max(1, form.corruptions // 100))
    outcome = ScenarioOutcome(f"{num} daemons started on a damaged checkpoint, by each policy")
    codes: dict[str, list[int | None]] = {"fail": [], "previous": []}
    with site.deployment(SMALL) as deployment, deployment.auditor() as auditor:
        for kind in rng.sample(kinds, num):
            deployment.source.produce(400)
            with deployment.start("checkpoint.every_events=100") as worker:
                auditor.wait_for_all(LIMIT_S)
                worker.drain()
            newer, older, *_ = deployment.checkpoints()
            DAMAGES[kind](newer, older, rng)
            with deployment.start("checkpoint.on_corruption=fail") as worker:
                codes["fail"].append(worker.wait(LIMIT_S))
            deployment.source.produce(50)
            with deployment.start() as worker:
                auditor.wait_for_all(LIMIT_S)
                codes["previous"].append(worker.drain()[0])
        tally = auditor.tally()
    outcome.expect("`fail` ends with exit code 4", set(codes["fail"]) == {4}, codes["fail"])
    text = "`previous` goes on, and every message has exactly one result"
    outcome.expect(text, tally.exact and set(codes["previous"]) == {0}, tally)
    return outcome


def _save_two(folder: Path) -> tuple[int, int]:
    """Two checkpoints of a learner that has learnt; their epochs."""
    config = Config(**{name: SMALL[name] for name in ("learn", "learner", "modality")})
    learner, rng, epochs = StreamLearner(config), np.random.default_rng(0), []
    for number in range(2):
        learner.process(_batch(rng, 400 * number, 400))
        learner.close_epoch(Decisions("count", 1.0))
        state = {"learner": learner.state_dict(), "engine": {"seq": number}}
        store.save(folder, state, position={"epoch": learner.epoch}, keep=9)
        epochs.append(learner.epoch)
    return epochs[0], epochs[1]


def _batch(rng: np.random.Generator, first: int, num: int) -> EventBatch:
    values = rng.normal(size=(num, 3))
    rows = np.arange(first, first + num)
    keys = pa.array([f"m{row % 8}" for row in rows])
    zeros = np.zeros_like(rows)
    return EventBatch(
        "plant", zeros, rows, zeros, keys, rows.astype(float), ("a", "b", "c"), values
    )


def _is_refused(folder: Path) -> bool:
    try:
        store.load(folder)
    except CorruptCheckpointError:
        return True
    return False


def _ends_with_4(folder: Path) -> bool:
    try:
        store.load_newest(folder, on_corruption="fail")
    except CheckpointError as error:
        return error.exit_code == 4
    return False


def _file(folder: Path, rng: random.Random) -> Path:
    return rng.choice(sorted(folder.iterdir()))


def _truncate(newer: Path, _: Path, rng: random.Random) -> None:
    file = _file(newer, rng)
    content = file.read_bytes()
    file.write_bytes(content[: rng.randrange(len(content))])


def _flip(newer: Path, _: Path, rng: random.Random) -> None:
    file = _file(newer, rng)
    content = bytearray(file.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    file.write_bytes(content)


def _zero(newer: Path, _: Path, rng: random.Random) -> None:
    """Blocks that were never written read as zeros: whole files, and parts."""
    file = _file(newer, rng)
    content = file.read_bytes()
    start = rng.choice([0, rng.randrange(len(content))])
    if not any(content[start:]):  # its end is zeros anyway
        start = 0
    file.write_bytes(content[:start] + bytes(len(content) - start))


def _swap(newer: Path, older: Path, rng: random.Random) -> None:
    """A file of the other checkpoint in place of its own, or the folders change names."""
    name = rng.choice([*(file.name for file in sorted(newer.iterdir())), "folder"])
    if name != "folder":
        shutil.copy(older / name, newer / name)
        return
    shutil.rmtree(newer)
    shutil.copytree(older, newer)


def _edit(newer: Path, _: Path, rng: random.Random) -> None:
    """Valid JSON, but not what was saved."""
    path = newer / "manifest.json"
    manifest = json.loads(path.read_text())
    field = rng.choice(["position", "files", "state"])
    if field == "position":
        manifest["position"]["epoch"] += 1
    elif field == "files":
        next(iter(manifest["files"].values()))["size"] += 1
    else:
        manifest["state"]["engine"]["seq"] += 1
    path.write_text(json.dumps(manifest))


def _remove(newer: Path, _: Path, rng: random.Random) -> None:
    _file(newer, rng).unlink()


def _lose(newer: Path, _: Path, __: random.Random) -> None:
    shutil.rmtree(newer)


DAMAGES: dict[str, Damage] = {
    "truncated": _truncate,
    "bit flipped": _flip,
    "zeroed": _zero,
    "swapped": _swap,
    "manifest edited": _edit,
    "file missing": _remove,
    "missing": _lose,
}
