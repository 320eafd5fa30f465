"""What is off by default keeps the stream's promises where it is switched on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from streamssl.checkpoint import CheckpointError
from streamssl.config.problems import ConfigError
from streamssl.config.sections import ObjectivesConfig
from streamssl.data.inputs import KEY
from streamssl.data.results import Decisions
from streamssl.learner import Learner
from streamssl.learner.replay import POLICIES
from streamssl.modalities.sensor.backbones import BACKBONES
from streamssl.objectives import OBJECTIVES
from streamssl.stream import StreamLearner
from streamssl.stream.keyed_inputs import key_numbers
from tests.modalities.examples import TOY
from tests.stream.runs import assert_same, run_cut
from tests.stream.streams import small_learner, stream

LENGTH, SAVED = 200, 128
DEFAULTS = ObjectivesConfig().weights()
PALETTE = [name for name in OBJECTIVES if name not in DEFAULTS]


def alone(name: str) -> dict[str, Any]:
    """Sections that switch one objective on and all others off."""
    return {"objectives": {other: {"weight": float(other == name)} for other in OBJECTIVES}}


def new(name: str) -> StreamLearner:
    """A small learner of one objective."""
    return small_learner(**alone(name))


def test_the_defaults_are_the_three_of_before() -> None:
    """The palette costs and changes nothing that did not ask for it."""
    assert list(DEFAULTS) == ["moco", "next_step", "autoencoder"]
    assert len(PALETTE) == 9


def check_promises(sections: dict[str, Any], tmp_path: Path) -> StreamLearner:
    """Cuts change no bit, a restored run goes on with the same bits; returns the whole run's."""
    whole, cut, resumed = (small_learner(**sections) for _ in range(3))
    batch = stream(LENGTH)
    results = whole.process(batch)
    half = run_cut(cut, batch.take(slice(0, SAVED)), [7, 50, 1])
    cut.save(tmp_path)
    resumed.load(tmp_path)
    rest = run_cut(resumed, batch.take(slice(SAVED, None)), [13])
    assert_same(type(rest).concat([half, rest]), results)
    assert resumed.weights_digest() == whole.weights_digest()
    assert np.isfinite(results.embedding_BD).all()
    return whole


@pytest.mark.parametrize("name", PALETTE)
def test_an_objective_keeps_the_promises(name: str, tmp_path: Path) -> None:
    """Alone, too, it keeps them, and moves the weights."""
    whole, untrained = check_promises(alone(name), tmp_path), new(name)
    untrained.process(stream(1))
    assert whole.weights_digest() != untrained.weights_digest()


def test_keys_reach_the_objective_and_no_network() -> None:
    """Inputs to learn from carry the number of their key; those to be read do not."""
    learner, batch = new("multi_instance"), stream(40)
    learner.advance(batch)
    model = learner._model
    assert model is not None
    kept = model.open.rows()[1][KEY]
    assert set(kept.tolist()) == set(key_numbers(batch.keys).tolist())
    judged = model.judge(batch, 1)
    assert KEY not in judged.inputs.for_inference(slice(0, 40))
    assert KEY not in model.modality.spec.arrays


def test_a_key_has_one_number_everywhere() -> None:
    """By its name alone, whatever else is in the batch; an empty batch has none."""
    first = key_numbers(pa.array(["pump", "fan", "pump"], pa.string()))
    again = key_numbers(pa.array(["fan", "", "pump"], pa.string()))
    assert first[0] == first[2] == again[2] != first[1] == again[0]
    assert key_numbers(pa.array([], pa.string())).shape == (0,)


def test_a_network_that_lacks_something_is_told() -> None:
    """The toy's network knows no order of steps: the error names setting and verb."""
    sections = {"objectives": {"temporal_order": {"weight": 1}, "next_step": {"weight": 0}}}
    with pytest.raises(ConfigError, match=r"temporal_order\.weight.*reorder"):
        StreamLearner(TOY.config(**sections)).process(TOY.batch(10))


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_keeps_the_promises(policy: str, tmp_path: Path) -> None:
    """While samples leave for others."""
    check_promises({"replay": {"policy": policy, "max_bytes": 8_000}}, tmp_path)


def test_another_policy_is_told(tmp_path: Path) -> None:
    """A state of another policy is refused by the setting's name."""
    learner = small_learner()
    learner.process(stream(100))
    learner.close_epoch(Decisions("end"))
    learner.save(tmp_path)
    with pytest.raises(CheckpointError, match=r"replay\.policy is 'reservoir', not 'fifo'"):
        small_learner(replay={"policy": "fifo"}).load(tmp_path)


@pytest.mark.parametrize("backbone", [name for name in BACKBONES if name != "summary"])
def test_a_backbone_keeps_the_promises(backbone: str, tmp_path: Path) -> None:
    """With its own inputs to be read; the default does not take its state."""
    learner = {"hidden": 8, "embedding": 4, "projection": 4, "backbone": backbone}
    check_promises({"learner": learner}, tmp_path)
    with pytest.raises(CheckpointError, match="does not fit this configuration"):
        small_learner().load(tmp_path)


def test_another_modality_serves_what_it_has() -> None:
    """All objectives whose verbs the toy's network has, at once: weights move and stay finite."""
    served = [name for name in OBJECTIVES if name not in ("next_step", "temporal_order")]
    weights = {name: {"weight": float(name in served)} for name in OBJECTIVES}
    learner, untrained = (StreamLearner(TOY.config(objectives=weights)) for _ in range(2))
    untrained.process(TOY.batch(1))
    results = learner.process(TOY.batch(300, num_keys=4))
    model = learner._model
    assert model is not None
    assert isinstance(model.learner, Learner)
    assert list(model.learner._trainer.objectives) == served
    assert learner.weights_digest() != untrained.weights_digest()
    assert np.isfinite(results.embedding_BD).all()
