"""What drifts is found where it does, nothing elsewhere, and a restart changes no bit."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from streamssl.checkpoint.snapshot import restore, snapshot
from streamssl.config.sections import DriftConfig
from streamssl.data.drift import Drift
from streamssl.data.events import EventBatch
from streamssl.data.results import NEW, OWN, Decisions
from streamssl.scorers.scored import Scored
from streamssl.stream import StreamLearner
from streamssl.stream.drift import BLOCK_ROWS, MOST_NUMBERS, RARE, DriftWatch, Series

DELTA = 1e-4


def shares(num: int, *, seed: int = 0, shift_at: int | None = None) -> list[float]:
    """Shares of rare rows in blocks: 1 %, and from a block on 5 %."""
    generator = np.random.default_rng(seed)
    rate = np.where(np.arange(num) < (num if shift_at is None else shift_at), 0.01, 0.05)
    return (generator.binomial(BLOCK_ROWS, rate) / BLOCK_ROWS).tolist()


def scaled(share: float) -> float:
    return 2.0 * math.sqrt(BLOCK_ROWS) * math.asin(math.sqrt(share))


def rows_of(p_B: Any, *, time_B: Any = None, warming: bool = False) -> Scored:
    """Judged rows, as far as the watch looks at them."""
    p_B = np.asarray(p_B, np.float64)
    time_B = np.arange(len(p_B), dtype=np.float64) if time_B is None else np.asarray(time_B)
    warming_B = np.full(len(p_B), NEW if warming else OWN)
    return cast(Scored, SimpleNamespace(p_B=p_B, event_time_B=time_B, warming_B=warming_B))


def p_of(num: int, *, rate: float, seed: int) -> np.ndarray[Any, Any]:
    """p-values of which a share is rare."""
    generator = np.random.default_rng(seed)
    return np.where(generator.random(num) < rate, RARE / 2, 0.5)


def watch(**changes: Any) -> DriftWatch:
    return DriftWatch(DriftConfig(**changes))


def adwin_by_hand(numbers: list[float], delta: float) -> int | None:
    """Where plain ADWIN, all cuts of all numbers (no buckets), first sees two levels."""
    for count in range(10, len(numbers) + 1):
        window = np.array(numbers[:count])
        bound = math.log(2.0 * math.log(count) / delta)
        for cut in range(5, count - 4):
            size = 1.0 / (1.0 / cut + 1.0 / (count - cut))
            least = math.sqrt(2.0 / size * window.var() * bound) + 2.0 / (3.0 * size) * bound
            if abs(window[:cut].mean() - window[cut:].mean()) >= least:
                return count
    return None


def test_the_rule_finds_a_step_where_adwin_by_hand_does() -> None:
    """The golden series: found a few blocks after the plain algorithm, cut where it steps."""
    numbers = shares(100, shift_at=60)
    series = Series(sensitivity=DELTA, scale=scaled)
    found = [(n, series.feed(share, float(n))) for n, share in enumerate(numbers, start=1)]
    changes = [(n, change) for n, change in found if change]
    by_hand = adwin_by_hand([scaled(share) for share in numbers], DELTA)
    assert by_hand is not None
    assert len(changes) == 1
    place, change = changes[0]
    assert 0 <= place - by_hand <= 8  # ADWIN keeps buckets: it cuts at fewer places.
    assert place == 75
    assert change.since == 61.0
    assert change.before == pytest.approx(np.mean(numbers[:60]), rel=1e-12)
    assert change.after == pytest.approx(np.mean(numbers[60:place]), rel=1e-12)


def test_stationary_shares_are_silent() -> None:
    """Twenty times 400 blocks (two million rows) without a step: nothing."""
    for seed in range(20):
        series = Series(sensitivity=DELTA, scale=scaled)
        assert not any(series.feed(share, 0.0) for share in shares(400, seed=seed))


def test_a_larger_sensitivity_sees_sooner() -> None:
    """The one setting does what it says."""
    places = []
    for delta in (1e-8, 1e-4, 1e-1):
        series = Series(sensitivity=delta, scale=scaled)
        numbers = shares(200, shift_at=60)
        places.append(next(n for n, share in enumerate(numbers) if series.feed(share, 0.0)))
    assert places == sorted(places, reverse=True)
    assert places[0] > places[2]


def test_a_series_restored_anywhere_goes_on_as_if_nothing_had_happened() -> None:
    """Also after changes, and after its bounded memory let go of its oldest half."""
    numbers = [*shares(300, shift_at=200), *shares(MOST_NUMBERS + 300, seed=1), *shares(50, seed=2)]
    whole = Series(sensitivity=DELTA, scale=scaled)
    cut = Series(sensitivity=DELTA, scale=scaled)
    generator, num_changes = np.random.default_rng(0), 0
    for n, share in enumerate(numbers):
        if n in (15, 205, 230, 300, MOST_NUMBERS + 320) or generator.random() < 0.01:
            kept, cut = cut.numbers(), Series(sensitivity=DELTA, scale=scaled)
            cut.restore(kept)
        change = whole.feed(share, float(n))
        assert cut.feed(share, float(n)) == change
        assert cut.numbers() == whole.numbers()
        assert len(whole.numbers()) <= MOST_NUMBERS
        num_changes += change is not None
    assert num_changes == 2


def run(watch: DriftWatch, p_B: Any, epochs: list[int]) -> list[Drift]:
    """Feed rows in epochs of some sizes, the last one of what is left; everything that is found."""
    found: list[Drift] = []
    starts = np.cumsum([0, *epochs])
    for number, start in enumerate(starts.tolist()):
        stop = starts[number + 1] if number + 1 < len(starts) else len(p_B)
        time_B = np.arange(start, stop, dtype=np.float64)
        rows = rows_of(p_B[start:stop], time_B=time_B)
        found += watch.learn(rows, {}, number + 1)
    return found


def test_how_rows_are_cut_into_epochs_changes_no_number() -> None:
    """Blocks are of rows: only when it is noticed follows the epochs."""
    p_B = np.concatenate([p_of(20_000, rate=0.01, seed=0), p_of(4_000, rate=0.5, seed=1)])
    small, large = watch(), watch()
    one = run(small, p_B, [37] * 640)
    other = run(large, p_B, [4_096] * 5)
    assert len(one) == len(other) == 1
    assert (one[0].before, one[0].what) == (other[0].before, "scores")
    shares_of = [w.state_dict()["scores"][:, 0].tolist() for w in (small, large)]
    assert shares_of[0] == shares_of[1]
    assert small.state_dict()["open"] == large.state_dict()["open"]


def test_rows_count_in_the_order_of_event_time_and_only_of_calibrated_keys() -> None:
    """Partitions that come one after another in an epoch do not make blocks of their own."""
    rare_first = rows_of([0.0] * 128 + [0.5] * 128 + [0.5] * 256, time_B=[*range(0, 256, 2)] * 4)
    one = watch()
    one.learn(rare_first, {}, 1)
    assert one.state_dict()["scores"][:, 0].tolist() == [0.25, 0.25]
    one.learn(rows_of([0.0] * 999, warming=True), {}, 2)
    assert len(one.state_dict()["scores"]) == 2


def test_of_a_loss_only_a_rise_is_a_drift() -> None:
    """Learning lowers a loss; that it falls is no news, and what comes is compared with it."""
    generator, one = np.random.default_rng(0), watch()
    found: list[Drift] = []
    levels = [1.0] * 40 + [0.5] * 40 + [0.8] * 40
    for epoch, level in enumerate(levels, start=1):
        losses = {"autoencoder": level * math.exp(0.05 * generator.normal())}
        found += one.learn(rows_of([0.5], time_B=[float(epoch)]), losses, epoch)
    assert [drift.what for drift in found] == ["loss.autoencoder"]
    assert 80 < found[0].epoch <= 100
    assert found[0].since == 81.0
    assert found[0].before == pytest.approx(0.5, rel=0.05)
    assert found[0].after == pytest.approx(0.8, rel=0.1)


def test_what_was_found_stays_until_the_next_epoch_ends_and_is_part_of_the_state() -> None:
    """A process that dies before it was announced announces it when it comes back."""
    one, losses = watch(), {"moco": 1.0}
    p_B = np.concatenate([p_of(25_600, rate=0.01, seed=0), p_of(2_560, rate=0.9, seed=1)])
    found = one.learn(rows_of(p_B), losses, 4)
    assert [(drift.what, drift.epoch) for drift in found] == [("scores", 4)]
    assert found[0].since == 25_600 + BLOCK_ROWS / 2
    assert found[0].time == found[0].since + 4 * BLOCK_ROWS
    other = watch()
    taken = snapshot(one.state_dict())
    other.load_state_dict(restore(json.loads(taken.document), taken.arrays))
    assert other.found == one.found == found
    for epoch in (5, 6):
        rows = rows_of(p_of(3_000, rate=0.02, seed=epoch))
        assert other.learn(rows, losses, epoch) == one.learn(rows, losses, epoch)
    np.testing.assert_equal(other.state_dict(), one.state_dict())


def test_nothing_is_watched_where_it_is_off_and_old_states_load() -> None:
    """Off costs nothing; a state of before there was any begins anew."""
    off = watch(enabled=False)
    assert off.learn(rows_of([0.0] * 9_999), {"moco": 1.0}, 1) == ()
    assert not len(off.state_dict()["scores"])
    on = watch()
    on.load_state_dict(None)
    assert on.found == ()


def stream(num: int, *, shift_at: int | None = None) -> EventBatch:
    """Four machines of three channels; from an event on, all stand four deviations higher."""
    values = np.random.default_rng(5).normal(size=(num, 3))
    values[num if shift_at is None else shift_at :] += 4.0
    keys = [f"m{n % 4}" for n in range(num)]
    time = np.arange(num, dtype=np.float64) + 1e9
    return EventBatch.from_numpy(values, fields=["a", "b", "c"], time=time, key=keys, topic="t")


STATISTICS = {
    "learner": {"enabled": False},
    "outputs": {"embeddings": {"enabled": False}},
    "alerts": {"neighbours": 0},
    "scorers": {"residual": {"enabled": False}},
}


def test_a_stream_that_shifts_says_so_and_an_ordinary_one_is_silent() -> None:
    """The results of the next epoch carry it, and a restored learner finds the same."""
    batch, learner = stream(24_000, shift_at=20_000), StreamLearner.from_config(STATISTICS)
    assert learner.process(batch.take(slice(0, 20_000))).drifts == ()
    learner.close_epoch(Decisions("end"))
    restored = StreamLearner.from_config(STATISTICS)
    restored.load_state_dict(learner.state_dict())
    rest = batch.take(slice(20_000, 22_000))
    reports = []
    for one in (learner, restored):
        one.advance(rest)
        reports.append(one.close_epoch(Decisions("end")))
    assert reports[0].drifts == reports[1].drifts
    (drift,) = reports[0].drifts
    assert drift.what == "scores"
    assert drift.after > 0.5 > 0.1 > drift.before
    assert drift.epoch == learner.epoch - 1
    assert drift.since - 1e9 == pytest.approx(20_000, abs=BLOCK_ROWS)
    assert drift.since < drift.time < 1e9 + 22_000
    assert learner.process(batch.take(slice(22_000, 22_001))).drifts == (drift,)


def test_another_stream_begins_without_what_was_watched() -> None:
    """A state that was learnt elsewhere (`--init-from`) announces nothing of there."""
    learner = StreamLearner.from_config(STATISTICS)
    learner.learn(stream(6_000))
    assert learner._model is not None
    watched = learner._model.drift
    assert len(watched.state_dict()["scores"])
    watched.found = (Drift("scores", learner.epoch - 1, 1.0, 0.0, 0.01, 0.9),)
    learner.carry_keys()
    np.testing.assert_equal(watched.state_dict(), watch().state_dict())
    assert learner.score(stream(10)).drifts == ()
