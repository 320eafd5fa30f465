"""An uninterrupted replay of the journal, compared with what was published and saved."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.chaos.deployment import Deployment, Published
from streamssl.checkpoint.store import load
from streamssl.stream import StreamLearner
from streamssl.transport.journal import JournalRecord


@dataclass(frozen=True)
class Comparison:
    """How far the replays of all instances agree with what the daemons left.

    Attributes:
        records: Records published on all output topics.
        different: Of them and of the reproduced ones, those that have no equal on the other side.
        transactions: Journal records replayed.
        wrong_states: States that differ: of an epoch that was scored, or a saved one.
        saved: Checkpoints that were compared.
    """

    records: int
    different: int
    transactions: int
    wrong_states: list[str]
    saved: int

    @property
    def equal(self) -> bool:
        """Whether scores and states are equal, bit for bit."""
        return not self.different and not self.wrong_states

    def __str__(self) -> str:
        told = f"{self.records:,} records in {self.transactions:,} transactions"
        return (
            f"{told}, {self.saved} saved states: {self.different} records and "
            f"{len(self.wrong_states)} states differ {''.join(self.wrong_states[:3])}".rstrip()
        )


def compare_with_replay(deployment: Deployment) -> Comparison:
    """Replay every instance's journal in a separate process, and compare byte by byte.

    With one instance the order of every partition's records counts as well; those of several
    instances interleave.
    """
    published, again = deployment.published(), Published()
    wrong, num_transactions, num_saved = [], 0, 0
    with ThreadPoolExecutor(deployment.num_instances) as pool:
        replays = list(pool.map(partial(_replay, deployment), range(deployment.num_instances)))
    for instance, (code, answer, output) in enumerate(replays):
        journal = deployment.journal(instance)
        if not journal:
            continue
        assert answer, f"the replay ended with {code}: {deployment.told()}"
        for place, records in deployment.reproduced(output).items():
            again.setdefault(place, []).extend(records)
        saved = saved_states(deployment, instance)
        wrong += _wrong_states(json.loads(answer), code, journal, saved)
        num_transactions, num_saved = num_transactions + len(journal), num_saved + len(saved)
    ordered = deployment.num_instances == 1
    return Comparison(
        records=sum(map(len, published.values())),
        different=_num_different(published, again, ordered),
        transactions=num_transactions,
        wrong_states=wrong,
        saved=num_saved,
    )


def _replay(deployment: Deployment, instance: int) -> tuple[int, bytes, Path]:
    """Exit code, answer and records of a replay; no answer where there is nothing to replay."""
    output = deployment.folder / f"again-{instance}.parquet"
    return *deployment.replay(output, instance=instance), output


def saved_states(deployment: Deployment, instance: int = 0) -> dict[int, int]:
    """Epoch and digest of every checkpoint."""
    learner, found = StreamLearner.from_config(deployment.config), {}
    for path in deployment.checkpoints(instance):
        learner.load_state_dict(load(path).state["learner"])
        found[learner.epoch] = learner.state_crc32c()
    return found


def _wrong_states(
    found: dict[str, int], code: int, journal: list[JournalRecord], saved: dict[int, int]
) -> list[str]:
    last, scored = journal[-1], {record.epoch: record.state_crc32c for record in journal}
    checks = {
        f"replay ended with {code}": code == 0,
        "epochs differ": not found["differing_epochs"],
        "not the whole journal": (found["first_epoch"], found["records"]) == (1, last.seq),
        "last epoch": (found["epoch"], found["state_crc32c"]) == (last.epoch, last.state_crc32c),
    }
    wrong = [text for text, right in checks.items() if not right]
    return wrong + [
        f"checkpoint {e}" for e in saved.keys() & scored.keys() if saved[e] != scored[e]
    ]


def _num_different(published: Published, again: Published, ordered: bool) -> int:
    num = 0
    for place in published.keys() | again.keys():
        ours, theirs = published.get(place, []), again.get(place, [])
        if ordered and ours == theirs:
            continue
        left, right = Counter(ours), Counter(theirs)
        num += (left - right).total() + (right - left).total()
        num += ordered and left == right  # only their order differs
    return num
