"""The learner: a student taught by pretext tasks, and the teacher that everyone reads.

N = fresh windows, B = events, T = steps, C = channels, D = embedding, R = residuals.
"""

from __future__ import annotations

from typing import Any

import crc32c
import numpy as np
import torch

from streamssl.config.sections import LearnConfig, LearnerConfig, ObjectivesConfig, ReplayConfig
from streamssl.events import Float32Array, FloatArray
from streamssl.learner.batches import draw_batches, make_sample, window_span_s
from streamssl.learner.device import find_device
from streamssl.learner.network import Readout, WindowNetwork
from streamssl.learner.report import Inference, LearnReport, Tally
from streamssl.learner.schedule import Schedule
from streamssl.learner.tiles import in_tiles
from streamssl.learner.trainer import Trainer
from streamssl.modalities import Windows
from streamssl.objectives import build_objectives
from streamssl.replay import POLICIES
from streamssl.results import PROVISIONAL

FIRST_SPACE = "space-1"


class Learner:
    """Networks, objectives, replay and schedule of one stream.

    Deterministic on a CPU: the state follows from the seed and the calls of `learn`, and
    `infer` gives the same bits for a window whichever others are asked for with it.

    Args:
        num_channels: C.
        window: T.
        learner: The networks.
        learn: When and how much.
        objectives: The pretext tasks.
        replay: What is kept of the past.
        seed: Of the first weights and of every random choice.

    Raises:
        DeviceError: The configured device is not there.

    Example:
        >>> learner = Learner(num_channels=3, window=8)
        >>> x_BTC = np.zeros((5, 8, 3), np.float32)
        >>> embedding_BD, residual_BR = learner.infer(x_BTC)
        >>> embedding_BD.shape, residual_BR.shape
        ((5, 64), (5, 6))
        >>> counts = {"epoch": 1, "num_events": 5, "num_learnt": 5, "now_s": 5.0}
        >>> report = learner.learn(x_BTC, np.arange(5.0), **counts)
        >>> report.num_steps, learner.space
        (0, 'provisional')
    """

    def __init__(
        self,
        *,
        num_channels: int,
        window: int,
        learner: LearnerConfig | None = None,
        learn: LearnConfig | None = None,
        objectives: ObjectivesConfig | None = None,
        replay: ReplayConfig | None = None,
        seed: int = 0,
    ) -> None:
        self._learner = learner or LearnerConfig()
        self._learn = learn or LearnConfig()
        self._replay = replay or ReplayConfig()
        self._seed = seed
        # Of the weights as they are, None while unknown.
        self._digest: int | None = None
        self._readout: Readout | None = None
        self._device = find_device(self._learner.device)
        torch.set_num_threads(self._learner.num_threads)
        self._trainer = self._build(num_channels, window, objectives or ObjectivesConfig())
        self._schedule = Schedule(
            learn=self._learn, learner=self._learner, num_channels=num_channels
        )
        self._memory = POLICIES[self._replay.policy](
            shape=(window, num_channels),
            max_bytes=self._replay.max_bytes,
        )

    @property
    def space(self) -> str:
        """Name of the embedding space: provisional until the first burst is over."""
        return FIRST_SPACE if self._schedule.burst_over else PROVISIONAL

    @property
    def replay_records(self) -> int:
        """Windows held for replay."""
        return len(self._memory)

    @property
    def replay_bytes(self) -> int:
        """Bytes held for replay."""
        return self._memory.num_bytes

    @torch.inference_mode()
    def infer(self, windows: Windows, *, next_step: bool = False) -> Inference:
        """Embed windows and give their residuals, by the teacher; changes nothing.

        Args:
            windows: Standardised, bounded windows `[B, T, C]`.
            next_step: Whether the residuals hold those of the next-step prediction, which takes
                a second pass.
        """
        teacher, readout = self._trainer.teacher, self._readout or self._trainer.teacher.readout()
        self._readout = readout
        return Inference(
            *in_tiles(lambda tile: teacher.infer(tile, readout, next_step), windows, self._device)
        )

    def learn(
        self,
        fresh_NTC: Float32Array,
        event_time_N: FloatArray,
        *,
        epoch: int,
        num_events: int,
        num_learnt: int,
        now_s: float,
        hurried: bool = False,
    ) -> LearnReport:
        """Close an epoch: remember its windows, then take the steps that are due.

        Args:
            fresh_NTC: The epoch's windows that passed the gate, in order; perhaps none.
            event_time_N: Event time of each, in seconds.
            epoch: Its number; with the seed it decides every random choice.
            num_events: Events of the epoch, gated ones included.
            num_learnt: Rows that passed the gate since the start.
            now_s: Event time that the stream has reached.
            hurried: Whether input waits: a burst goes on in slices that the epoch can bear.
        """
        if not self._learn.enabled or not self._trainer.objectives:
            return LearnReport()
        generator = np.random.default_rng((self._seed, epoch))
        if self._replay.max_age is not None:
            self._memory.expire(now_s - self._replay.max_age)
        self._memory.add(fresh_NTC, event_time_N, generator)
        plan = self._schedule.plan(num_events=num_events, num_learnt=num_learnt, hurried=hurried)
        batches = draw_batches(
            (fresh_NTC, event_time_N),
            self._memory,
            num_batches=len(plan.rates),
            num_samples=plan.batch,
            # A burst learns the whole past; in upkeep the newest must not wait for their turn.
            share=1.0 if plan.burst else self._replay.share,
            generator=generator,
        )
        torch_generator = self._torch_generator(epoch)
        span_s = window_span_s(event_time_N, fresh_NTC.shape[1])
        tally = Tally()
        self._digest = self._readout = None
        for number, (rate, windows) in enumerate(
            zip(plan.rates, batches, strict=False), plan.first
        ):
            sample = make_sample(windows, span_s=span_s, device=self._device)
            step = self._trainer.step(sample, rate=rate, generator=torch_generator, number=number)
            tally.add(step, sample)
        return tally.report(self._trainer.teacher)

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides what comes next; random choices follow from the epoch."""
        return {
            "trainer": self._trainer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "replay": self._memory.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state of the same sizes, bit for bit."""
        self._digest = self._readout = None
        self._trainer.load_state_dict(state["trainer"])
        self._schedule.load_state_dict(state["schedule"])
        self._memory.load_state_dict(state["replay"])

    def weights_digest(self) -> int:
        """CRC-32C over the bytes of student and teacher, in the order of their names."""
        if self._digest is None:
            self._digest = 0
            for network in (self._trainer.student, self._trainer.teacher):
                for _, tensor in sorted(network.state_dict().items()):
                    values = np.ascontiguousarray(tensor.cpu().numpy())
                    self._digest = crc32c.crc32c(values.data, self._digest)
        return self._digest

    def _build(self, num_channels: int, window: int, objectives: ObjectivesConfig) -> Trainer:
        generator = torch.Generator().manual_seed(self._seed)
        # torch draws first weights from its global generator only: lend it our seed.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)
            student = WindowNetwork(num_channels=num_channels, window=window, config=self._learner)
        terms = build_objectives(
            objectives, projection=self._learner.projection, generator=generator
        )
        return Trainer(
            student=student.to(self._device),
            objectives={name: term.to(self._device) for name, term in terms.items()},
            config=self._learner,
        )

    def _torch_generator(self, epoch: int) -> torch.Generator:
        words = np.random.SeedSequence((self._seed, epoch, 1)).generate_state(1, np.uint64)
        return torch.Generator(self._device).manual_seed(int(words[0] >> np.uint64(1)))
