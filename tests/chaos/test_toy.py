"""A modality that is not built in, through the daemon: kills -9, and the journal replayed."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from benchmarks.chaos.deployment import Deployment
from benchmarks.chaos.replays import compare_with_replay
from benchmarks.chaos.settings import STEADY
from benchmarks.chaos.site import Site
from streamssl.devkit.clients import TopicReader
from streamssl.devkit.delivery import DeliveryTally
from tests.conftest import TOY, RunningBroker

ROOT = Path(__file__).parents[2]
NUM_KILLS = 5
LIMIT_S = 120.0
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]
SECTIONS: dict[str, Any] = {
    **STEADY,
    "modality": {"kind": "toy", "tail_events": 60},
    "objectives": {"moco": {"queue": 32}, "next_step": {"weight": 0}},
    "alerts": {"budget": 0.05, "calibration_warmup": 32},
}


def purchase(rng: random.Random) -> bytes:
    """Two numbers, a category and a second entity; one in fifty is dear, and of an unknown shop."""
    odd = rng.random() < 0.02
    return json.dumps(
        {
            "amount": round(rng.gauss(20.0, 2.0) * (6.0 if odd else 1.0), 2),
            "gap": round(rng.gauss(60.0, 5.0), 1),
            "shop": f"new-{rng.randrange(10**6)}" if odd else rng.choice(("bakery", "fuel")),
            "terminal": f"t{rng.randrange(20)}",
        }
    ).encode()


def killed_five_times(deployment: Deployment) -> DeliveryTally:
    """The count after kills -9 while events come, and a drain in order."""
    with deployment.auditor() as auditor:
        worker = deployment.start()
        try:
            with deployment.source.streaming(150):
                for _ in range(NUM_KILLS):
                    auditor.wait_for_more(LIMIT_S)
                    worker.end()
                    worker = deployment.start()
                auditor.wait_for_more(LIMIT_S)
            auditor.wait_for_all(LIMIT_S)
            code, _ = worker.drain()
        finally:
            worker.end()
        assert code == 0, worker.log_tail()
        return auditor.tally()


def test_it_survives_kills_and_is_replayed_bit_for_bit(
    kafka_broker: RunningBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing lost or doubled; the journal gives every byte again; anomalies name texts as well."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((TOY, str(ROOT))))
    with Site(kafka_broker, tmp_path).deployment(SECTIONS, reading=purchase) as deployment:
        tally = killed_five_times(deployment)
        assert tally.exact, tally
        assert tally.scored > 500
        comparison = compare_with_replay(deployment)
        assert comparison.equal, comparison
        with TopicReader(deployment.kafka, f"{deployment.app}.scores") as reader:
            scores = [json.loads(message.value or b"") for message in reader.read_to_end()]
    anomalies = [score for score in scores if score["anomaly"]]
    assert anomalies
    for score in anomalies:
        assert set(score["attribution"]) == {"amount", "gap", "shop", "terminal"}
        assert isinstance(score["actual"]["shop"], str)
        assert score["actual"]["amount"] > 0
