"""The learner of one stream: the same object in the daemon, in a replay and in a notebook.

No Kafka, no clock: its scores and its state follow from the events and the configuration alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamssl.checkpoint import CheckpointError, store
from streamssl.config.agreement import disagreement
from streamssl.config.root import Config
from streamssl.config.settings import load_config
from streamssl.data.events import EventBatch, Float32Array, Schema, check_batch
from streamssl.data.results import Decisions, EpochReport, Results, Spread
from streamssl.data.spaces import VectorSlice
from streamssl.learner import prepare
from streamssl.modalities import modality_for
from streamssl.stream.door import check_columns, other_columns, warn_of_unheard
from streamssl.stream.migrate import migrate_model
from streamssl.stream.model import StreamModel
from streamssl.stream.rows import in_pieces
from streamssl.telemetry.stages import Stages


class StreamLearner:
    """Scores events as they come and learns from them at the ends of epochs.

    `score` and `embed` read and leave everything as it was; `process` scores, advances the
    context and learns at the epoch ends that fall inside the batch; `learn` also learns the rest.

    Args:
        config: The configuration.
        statistics_thread: Whether the statistics have a thread of their own; no result depends on
            it.

    Example:
        >>> import numpy as np
        >>> batch = EventBatch.from_numpy(np.linspace(0, 1, 40), fields=["rpm"], key="m1")
        >>> learner = StreamLearner.from_config({"learner": {"embedding": 8}})
        >>> results = learner.process(batch)
        >>> learner.epoch, learner.num_open_events, results.embedding_BD.shape
        (2, 8, (40, 72))
    """

    def __init__(self, config: Config, *, statistics_thread: bool = True) -> None:
        self.config = config
        self._statistics_thread = statistics_thread
        self.epoch = 1
        self.stages = Stages()
        self._model: StreamModel | None = None
        self._told = False
        modality_for(config)
        if config.learner.enabled:
            prepare(config.learner)

    @classmethod
    def from_config(cls, source: Config | Path | str | Mapping[str, Any]) -> StreamLearner:
        """Build from a YAML file, nested dicts or a loaded configuration.

        Raises:
            ConfigError: The configuration cannot be used; the error says why.
        """
        return cls(source if isinstance(source, Config) else load_config(source))

    @property
    def schema(self) -> Schema | None:
        """The stream's columns, None until the first batch decides them."""
        return self._model.schema if self._model else None

    @property
    def num_open_events(self) -> int:
        """Events of the open epoch."""
        return len(self._model.open) if self._model else 0

    @property
    def slices(self) -> tuple[VectorSlice, ...]:
        """Named columns of the embedding; none until the first batch decides the columns."""
        return self._model.vectors.slices if self._model else ()

    def process(self, batch: EventBatch) -> Results:
        """Score a batch, advance the context, and learn at the epoch ends that fall inside.

        Args:
            batch: Events, those of each partition in offset order.

        Raises:
            TypeError: It is no `EventBatch`; the text names the constructor that makes one.
            ValueError: The batch's columns do not fit together, or its fields are others.
        """
        batch = self._let_in(batch)
        done = 0
        parts: list[Results] = []
        while done < len(batch) or not parts:
            room = self.target() - self.num_open_events
            parts.append(self.advance(batch.take(slice(done, done + room))))
            done += room
            if self.num_open_events >= self.target():
                self.close_epoch(Decisions("count"))
        return Results.concat(parts)

    def score(self, batch: EventBatch) -> Results:
        """Score a batch as if it came next, and leave everything as it was.

        Raises:
            ValueError: As `process`.
        """
        batch = self._let_in(batch)
        return self._for(batch).peek(batch, self.epoch)

    def learn(self, batch: EventBatch) -> None:
        """Learn a batch, its last incomplete epoch included.

        Raises:
            ValueError: As `process`.
        """
        self.process(batch)
        self.close_epoch(Decisions("end"))

    def embed(self, batch: EventBatch) -> Float32Array:
        """`[B, D]` embeddings of a batch as if it came next; changes nothing.

        Raises:
            ValueError: As `process`.
        """
        return self.score(batch).embedding_BD

    def target(self) -> int:
        """Events at which the open epoch is full."""
        return self._model.target() if self._model else StreamModel.FIRST_EPOCH

    def next_target(self) -> int:
        """Events at which the next epoch would be full, were the open one closed now."""
        return self._model.next_target() if self._model else StreamModel.FIRST_EPOCH

    def advance(self, batch: EventBatch) -> Results:
        """Score rows of the open epoch with the frozen state and advance the context.

        How the epoch's rows are cut into calls changes no bit.
        """
        batch = check_batch(batch)
        model = self._for(batch)
        parts = in_pieces(batch, model.modality.spec.num_bytes)
        return Results.concat([model.advance(part, self.epoch) for part in parts])

    def rebuild(self, partition: int, batch: EventBatch | None) -> None:
        """Drop a partition's per-key state and begin its context anew with a batch.

        The batch is neither scored nor learned.
        """
        if batch is not None and len(batch):
            batch = check_batch(batch)
            self._for(batch)
        if self._model:
            self._model.drop(partition)
            for piece in (
                in_pieces(batch, self._model.modality.spec.num_bytes) if batch is not None else ()
            ):
                self._model.warm(piece)

    def carry_keys(self) -> int:
        """Let what is known of each key hold for its name, whatever partition brings it.

        Statistics, gate, calibration, covariances of its own and context go on, incidents do not.
        While the context spans both streams (the first events of a key, as many as one input of
        the networks has) the key is warming.

        Returns:
            How many keys there are.
        """
        return self._model.carry_keys() if self._model else 0

    def discard(self, partition: int, from_offset: int) -> None:
        """Forget rows of the open epoch that were not committed."""
        if self._model:
            self._model.discard(partition, from_offset)

    def close_epoch(self, decisions: Decisions) -> EpochReport:
        """Learn the open epoch's rows in (partition, offset, index) order; open the next."""
        epoch, self.epoch = self.epoch, self.epoch + 1
        return self._model.close(epoch, decisions) if self._model else EpochReport(epoch, 0)

    def state_crc32c(self) -> int:
        """CRC chained over all scores and weights so far: equal only for equal histories."""
        return self._model.digest if self._model else 0

    def weights_digest(self) -> int:
        """CRC over the networks' weights."""
        return self._model.learner.weights_digest() if self._model else 0

    def spread(self) -> Spread:
        """How far recent embeddings are spread; it takes as long as embedding a batch."""
        return self._model.learner.spread() if self._model else Spread()

    def bytes_per_key(self) -> int:
        """Bytes that one more key takes; 0 until the fields are known."""
        return self._model.keys.bytes_per_key() if self._model else 0

    def save(self, directory: Path | str) -> Path:
        """Close the open epoch and write everything as a checkpoint under `directory`.

        Args:
            directory: Made where it is missing; the checkpoint that it held is replaced.

        Returns:
            The checkpoint's own folder.

        Raises:
            CheckpointError: It cannot be written.
        """
        if self.num_open_events:
            self.close_epoch(Decisions("end"))
        position: dict[str, Any] = {"epoch": self.epoch}
        return store.save(Path(directory), self.state_dict(), position=position, keep=1)

    def load(self, directory: Path | str) -> None:
        """Take over the newest checkpoint under `directory`, of `save` or of a daemon.

        Raises:
            CheckpointError: There is none that can be used, or it is of other columns.
        """
        found = store.load_newest(Path(directory), on_corruption="fail")
        if found is None:
            raise CheckpointError(f"{directory} holds no checkpoint; check the path")
        try:
            self.load_state_dict(found.state.get("learner", found.state))
        except CheckpointError as error:
            raise CheckpointError(f"{found.path}: {error}") from error
        problem = self.schema and disagreement(
            self.config, self.schema, str(found.path), Path(directory)
        )
        if problem:
            self._model = None
            raise CheckpointError(problem)

    def migrate(self, schema: Schema) -> None:
        """Change the columns of what was learnt: what still fits is kept (`stream/migrate.py`).

        It is done between epochs. A learner that has seen nothing has nothing to change.
        """
        if self._model is None or self._model.schema == schema:
            return
        new = self._new_model(schema)
        migrate_model(self._model, new)
        self._model = new

    def state_dict(self) -> dict[str, Any]:
        """The whole state; it can be taken between epochs only."""
        model = self._model
        return {
            "epoch": self.epoch,
            "schema": [list(names) for names in model.schema] if model else None,
            "model": model.state_dict() if model else None,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave, under the same configuration of sizes.

        Raises:
            CheckpointError: It does not fit.
        """
        self._model = None
        try:
            self.epoch = int(state["epoch"])
            if state["schema"] is not None:
                self._model = self._new_model(Schema(*map(tuple, state["schema"])))
                self._model.load_state_dict(state["model"])
        except (RuntimeError, KeyError, ValueError) as error:
            # PyTorch's text goes on with a line for each weight.
            told = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise CheckpointError(
                f"the state does not fit this configuration ({told}); go back to the learner, "
                "modality and scorers sections that it was learnt with"
            ) from error

    def _let_in(self, batch: EventBatch) -> EventBatch:
        """The batch, checked; settings that it was made without are told once."""
        batch = check_batch(batch)
        self._told = self._told or warn_of_unheard(self.config, batch)
        return batch

    def _new_model(self, schema: Schema) -> StreamModel:
        return StreamModel(
            schema=schema,
            config=self.config,
            stages=self.stages,
            statistics_thread=self._statistics_thread,
        )

    def _for(self, batch: EventBatch) -> StreamModel:
        """The model of the batch's columns, built at the first batch."""
        if self._model is None:
            check_columns(self.config, batch.schema)
            self._model = self._new_model(batch.schema)
        elif batch.schema != self._model.schema:
            raise other_columns(batch.schema, self._model.schema)
        return self._model
