"""The whole state of one stream: keys, context, networks, scorers.

B = events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import crc32c
import numpy as np

from streamssl.config.root import Config
from streamssl.data.events import EventBatch, IntArray, Schema
from streamssl.data.inputs import Inputs, LazyInputs, NoInputs, take_inputs
from streamssl.data.keys import KeyColumns
from streamssl.data.results import Decisions, EpochReport, Results
from streamssl.learner import Inference
from streamssl.learner.stem_solver import Solution
from streamssl.modalities import modality_for
from streamssl.objectives import need_keys
from streamssl.scorers import Admitted, Measurement
from streamssl.scorers.scored import AlertStep
from streamssl.scorers.window_reader import WindowReader
from streamssl.stream.build import new_ensemble, new_learner, new_space
from streamssl.stream.drift import DriftWatch
from streamssl.stream.incident_teller import finished
from streamssl.stream.key_table import KeyTable
from streamssl.stream.keyed_inputs import KeyedInputs, keyed_spec
from streamssl.stream.report import num_keys, of_learning, of_statistics, upkeep_losses
from streamssl.stream.results import ResultsBuilder
from streamssl.stream.rows import Judged, OpenEpoch, OpenRows, Picked, pick_hash
from streamssl.stream.space import SlicesRead
from streamssl.stream.statistics_thread import StatisticsThread
from streamssl.stream.stream_time import StreamTime
from streamssl.telemetry.stages import Stages

FRESH_INPUTS = 512
PARTS = ("keys", "time", "drift", "modality", "learner", "vectors", "ensemble")


class StreamModel:
    """State and arithmetic of a stream whose columns are known.

    Args:
        schema: Its columns.
        config: The whole configuration.
        stages: Told how long what takes.
        statistics_thread: Whether the statistics have a thread of their own.
    """

    FIRST_EPOCH = 32

    def __init__(
        self, *, schema: Schema, config: Config, stages: Stages, statistics_thread: bool = True
    ) -> None:
        self.schema, self.config, self._stage = schema, config, stages
        self.modality = modality_for(config).build(config, schema)
        self._is_keyed = config.learner.enabled and need_keys(config.objectives)
        spec = self.modality.spec
        self.learner = new_learner(
            config, self.modality, keyed_spec(spec) if self._is_keyed else spec
        )
        self.vectors = new_space(config, self.modality)
        self.ensemble = new_ensemble(config, self.modality, self.vectors.slices)
        self.drift = DriftWatch(config.drift)
        self._results = ResultsBuilder(
            modality=self.modality,
            ensemble=self.ensemble,
            neighbours=config.alerts.neighbours,
            drift=self.drift,
            opening=lambda: self.vectors.opening,
        )
        self.keys = KeyTable(self.per_key())
        self.time = StreamTime()
        self._statistics_thread = StatisticsThread(enabled=statistics_thread)
        self.open = OpenEpoch()
        self.num_seen = self.num_learnt = self.digest = 0

    def per_key(self) -> list[KeyColumns]:
        """The columns that grow with the number of keys, but for the key table's own."""
        parts = (self.modality, self.vectors, self.ensemble)
        return [columns for part in parts for columns in part.per_key()]

    def judge(self, batch: EventBatch, epoch: int) -> Judged:
        """Score a batch with the frozen state; only the key table has grown afterwards."""
        with self._stage("context"):
            slot_B, fresh = self.keys.lookup(batch)
            context, rows, advance = self.modality.read(slot_B, batch)
        with self._stage("inputs"):
            reads = {**self.ensemble.reads(), **self.vectors.reads()}
            inputs = WindowReader(self._inputs(rows, batch), reads)
        inference, (measured, slices) = self._statistics_thread.run(
            lambda: self._embed(inputs), lambda: self._measure(slot_B, context, rows)
        )
        position_B3 = np.stack([batch.partition, batch.offset, batch.index], axis=1)
        with self._stage("calibrate"):
            scored, levels, incidents = self.ensemble.read(
                measured,
                inference.residual_BR,
                self.vectors.join(inputs, slices, inference.embedding_BD),
                inputs.found("window"),
                position_B3.astype(np.int64),
                batch.event_time,
            )
        with self._stage("attribute"):
            results, fields, told = self._results.build(
                batch, scored, measured, incidents, epoch=epoch, space=self.vectors.name
            )
        alerts = AlertStep(levels, incidents, fields, told)
        after = (advance, measured.advance, slices.advance)
        return Judged(results, scored, inputs, slices.sample, after, alerts, fresh)

    def _inputs(self, rows: Any, batch: EventBatch) -> LazyInputs:
        if not self._input_share():
            return NoInputs(len(batch))
        inputs = self.modality.inputs(rows)
        return KeyedInputs(inputs, batch.keys) if self._is_keyed else inputs

    def _embed(self, inputs: LazyInputs) -> Inference:
        with self._stage("embed"):
            return self.learner.infer(inputs)

    def _measure(
        self, slot_B: IntArray, context: Any, rows: Any
    ) -> tuple[Measurement[Any], SlicesRead]:
        with self._stage("score"):
            measured = self.ensemble.measure(slot_B, context)
            return measured, self.vectors.read(measured, rows)

    def _write(self, context: Any, core: Any, stem: Any) -> None:
        """Move context, core and stem on to what was read."""
        self.modality.write(context)
        self.modality.core.write(core)
        self.vectors.write(stem)

    def advance(self, batch: EventBatch, epoch: int) -> Results:
        """Score a batch, move the context on and keep the rows for the epoch's end."""
        judged = self.judge(batch, epoch)
        pick_B = pick_hash(judged.scored.seen.position_B3, self.config.app.seed, epoch)
        # Before anything is written: what is sampled is made of what the keys remember now.
        inputs = Picked(judged.inputs.__getitem__, self._input_share())
        samples = Picked(judged.sample, self.vectors.sample_share)
        self.open.add(judged.scored, pick_B, inputs, samples)
        self._write(*judged.advance)
        self.ensemble.write(judged.alerts)
        self.open.note(finished(judged.results))
        return judged.results

    def peek(self, batch: EventBatch, epoch: int) -> Results:
        """Score a batch and leave everything as it was."""
        judged = self.judge(batch, epoch)
        self.keys.retire(judged.fresh_slots)
        self.keys.release()
        return judged.results

    def carry_keys(self) -> int:
        """Know all keys by name alone; each is warming until its context is of the new stream.

        Returns:
            How many there are.
        """
        slots = self.keys.carry()
        self.drift.begin()
        self.ensemble.carry(slots, self.modality.ages(slots) + self.modality.spec.steps)
        return len(slots)

    def drop(self, partition: int) -> None:
        """Forget a partition's keys."""
        self.keys.retire(self.keys.of_partition(partition))

    def warm(self, batch: EventBatch) -> None:
        """Move the context on over events that are neither scored nor learned."""
        slot_B, fresh = self.keys.lookup(batch)
        # Whose rows the epoch does not have goes on without an entry of its own.
        self.ensemble.own.columns["entry"][fresh] = 0
        reading = self.modality.read(slot_B, batch)
        measured, slices = self._measure(slot_B, reading.context, reading.rows)
        self._write(reading.advance, measured.advance, slices.advance)

    def discard(self, partition: int, from_offset: int) -> None:
        """Forget rows that were never committed, and the keys that only they had."""
        self.open.discard(partition, from_offset)
        self.keys.retire(self.keys.of_partition(partition, from_offset))

    def target(self) -> int:
        """Events at which the open epoch is full: a sixteenth of those seen, within bounds."""
        return self._target(self.num_seen)

    def next_target(self) -> int:
        """The same of the next epoch, were the open one closed now."""
        return self._target(self.num_seen + len(self.open))

    def _target(self, num_seen: int) -> int:
        return min(max(num_seen // 16, self.FIRST_EPOCH), self.config.learn.every)

    def close(self, epoch: int, decisions: Decisions) -> EpochReport:
        """Learn the open epoch's rows: the statistics, then the networks; then drop old keys."""
        if not len(self.open):
            gone = len(self.keys.release())
            return EpochReport(epoch, 0, keys_evicted=gone, **num_keys(self.keys, self.ensemble))
        rows, inputs, samples = self.open.rows()
        self.time.learn(rows.scored.event_time_B)
        admitted = self.ensemble.admit(rows.scored)
        learn_B = admitted.learn_B
        self.num_learnt += int(learn_B.sum())
        offered_B = learn_B & (rows.pick_B < self._input_share() * decisions.learn_rate)
        report, (num_rebased, solution) = self._statistics_thread.run(
            lambda: self.learner.learn(
                take_inputs(inputs, rows.input_B[offered_B]),
                rows.scored.event_time_B[offered_B],
                epoch=epoch,
                num_events=round(len(learn_B) * decisions.learn_rate),
                num_learnt=self.num_learnt,
                now_s=self.time.now_s,
                backlog=decisions.backlog,
            ),
            lambda: self._learn_statistics(rows, inputs, samples, admitted, epoch),
        )
        if solution is not None:
            self.learner.begin_at(self.vectors.block_map)
        losses = upkeep_losses(report, self.learner)
        drifts = self.drift.learn(rows.scored, losses, epoch)
        self.ensemble.past.learn(self.open.finished())
        opening = self.vectors.settle(solution, trained=self.learner.trained)
        if opening is not None:
            self.ensemble.open_space(opening)
            self.digest = crc32c.crc32c(repr(opening).encode(), self.digest)
        self.open = OpenEpoch()
        self.num_seen += len(learn_B)
        self.keys.settle(rows.scored.slots)
        self.keys.touch(rows.scored.slots, epoch, rows.scored.event_time_B)
        evicted = self._evict()
        self.digest = crc32c.crc32c(np.ascontiguousarray(rows.scored.raw_B).data, self.digest)
        self.digest ^= self.learner.weights_digest()
        return EpochReport(
            epoch=epoch,
            num_thinned=int((learn_B & ~offered_B).sum()) if self.config.learner.enabled else 0,
            keys_evicted=evicted,
            drifts=drifts,
            **num_keys(self.keys, self.ensemble),
            **of_learning(report, self.learner),
            **of_statistics(rows.scored, learn_B, self.ensemble, num_rebased),
        )

    def _learn_statistics(
        self, rows: OpenRows, inputs: Inputs, samples: Inputs, admitted: Admitted, epoch: int
    ) -> tuple[int, Solution | None]:
        """Let scorers, modality and stem learn: shifts that were accepted, and what was solved."""
        generator = np.random.default_rng([self.config.app.seed, epoch, 2])
        if (share := self.ensemble.window_share) > 0.0:
            sample = take_inputs(inputs, rows.sampled(admitted.learn_B, share))
            admitted = replace(admitted, blocks_NSP=self.modality.blocks(sample))
        num_rebased = self.ensemble.learn(rows.scored, admitted, generator)
        self.modality.learn(rows.scored.seen.measured, admitted.learn_B)
        solution = self.vectors.learn(
            rows,
            samples,
            admitted.learn_B,
            num_keys=len(self.keys.slots()),
            num_shifted=num_rebased,
            generator=generator,
        )
        return num_rebased, solution

    def _input_share(self) -> float:
        """Share of an epoch's rows whose inputs are kept: for networks, or a scorer of windows."""
        is_kept = self.config.learner.enabled or self.ensemble.window_share > 0.0
        return min(1.0, FRESH_INPUTS / self.target()) if is_kept else 0.0

    def _evict(self) -> int:
        """Drop keys beyond `max_keys` or idle longer than `key_ttl`; returns how many."""
        modality = self.config.modality
        before_s = -np.inf if modality.key_ttl is None else self.time.now_s - modality.key_ttl
        return self.keys.evict(modality.max_keys, before_s)

    def state_dict(self) -> dict[str, Any]:
        """Everything, at an epoch boundary."""
        assert not len(self.open), "state is only whole between epochs"
        return {
            "counts": [self.num_seen, self.num_learnt, self.digest],
            "migrations": self.vectors.migrations,
            **{name: getattr(self, name).state_dict() for name in PARTS},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.num_seen, self.num_learnt, self.digest = map(int, state["counts"])
        self.vectors.migrations = int(state.get("migrations", 0))
        self.keys.load_state_dict(state["keys"])
        self.time.load_state_dict(state["time"])
        self.drift.load_state_dict(state.get("drift"))
        self.modality.load_state_dict(state["modality"])
        self.learner.load_state_dict(dict(state["learner"]))
        self.vectors.load_state_dict(state.get("vectors"), trained=self.learner.trained)
        self.ensemble.load_state_dict(state["ensemble"])
        self.open = OpenEpoch()
