"""The learner: a student taught by pretext tasks, and the teacher that everyone reads.

N = fresh inputs, B = events, D = embedding, R = residuals.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import crc32c
import numpy as np
import torch

from streamssl.config.sections import LearnConfig, LearnerConfig, ObjectivesConfig, ReplayConfig
from streamssl.data.events import FloatArray
from streamssl.data.inputs import Inputs, InputSpec, LazyInputs
from streamssl.data.results import Spread
from streamssl.learner.batches import draw_batches, input_span_s, make_sample
from streamssl.learner.device import find_device
from streamssl.learner.health import effective_rank, min_standard_deviation
from streamssl.learner.replay import POLICIES
from streamssl.learner.report import Inference, LearnReport, Tally
from streamssl.learner.schedule import Schedule
from streamssl.learner.tiles import in_tiles
from streamssl.learner.trainer import Trainer
from streamssl.objectives import HeadSizes, Network, Sample, build_objectives
from streamssl.objectives.closed_form import LinearMap


class Learner:
    """Networks, objectives, replay and schedule of one stream.

    Deterministic on a CPU: the state follows from the seed and the calls of `learn`, and
    `infer` gives the same bits for an input whichever others are asked for with it.

    Args:
        network: Makes the student.
        spec: Of its inputs.
        learner: The networks.
        learn: When and how much.
        objectives: The pretext tasks.
        replay: What is kept of the past.
        seed: Of the first weights and of every random choice.

    Raises:
        DeviceError: The configured device is not there.
    """

    def __init__(
        self,
        *,
        network: Callable[[LearnerConfig], Network],
        spec: InputSpec,
        learner: LearnerConfig | None = None,
        learn: LearnConfig | None = None,
        objectives: ObjectivesConfig | None = None,
        replay: ReplayConfig | None = None,
        seed: int = 0,
    ) -> None:
        self._learner = learner or LearnerConfig()
        self._learn = learn or LearnConfig()
        self._replay = replay or ReplayConfig()
        self._seed, self._spec = seed, spec
        # Of the weights as they are, None while unknown.
        self._digest: int | None = None
        self._readout: Any = None
        self._last_sample: Sample | None = None
        self._device = find_device(self._learner.device)
        torch.set_num_threads(self._learner.num_threads)
        self._trainer = self._build(network, objectives or ObjectivesConfig())
        self._schedule = Schedule(learn=self._learn, learner=self._learner, width=spec.width)
        self._memory = POLICIES[self._replay.policy](
            spec=spec,
            max_bytes=self._replay.max_bytes,
        )

    @property
    def trained(self) -> bool:
        """Whether the first burst is over."""
        return self._schedule.burst_over

    def begin_at(self, found: LinearMap | None) -> None:
        """Let untrained networks begin at a linear map that was solved; trained ones stay."""
        if found is None or self._schedule.burst_step:
            return
        for side in (self._trainer.student, self._trainer.teacher):
            side.begin_at(*(torch.from_numpy(array).float() for array in found))
        self._digest = self._readout = None

    @property
    def burst_step(self) -> int:
        """Steps of the first burst that were planned so far."""
        return self._schedule.burst_step

    @property
    def burst_steps(self) -> int:
        """Steps of the first burst; 0 where nothing is ever trained."""
        return self._learn.burst_steps if self._learn.enabled else 0

    @property
    def replay_records(self) -> int:
        """Inputs held for replay."""
        return len(self._memory)

    @property
    def replay_bytes(self) -> int:
        """Bytes held for replay."""
        return self._memory.num_bytes

    @torch.inference_mode()
    def infer(self, inputs: LazyInputs) -> Inference:
        """Embed inputs and give their residuals, by the teacher; changes nothing."""
        teacher = self._trainer.teacher
        if self._readout is None:
            self._readout = teacher.readout()
        tile = partial(teacher.infer, readout=self._readout)
        return Inference(*in_tiles(tile, inputs, self._device))

    def learn(
        self,
        fresh: Inputs,
        event_time_N: FloatArray,
        *,
        epoch: int,
        num_events: int,
        num_learnt: int,
        now_s: float,
        backlog: bool = False,
    ) -> LearnReport:
        """Close an epoch: remember its inputs, then take the steps that are due.

        Args:
            fresh: The epoch's inputs that passed the gate, in order; perhaps none.
            event_time_N: Event time of each, in seconds.
            epoch: Its number; with the seed it decides every random choice.
            num_events: Events of the epoch, gated ones included.
            num_learnt: Rows that passed the gate since the start.
            now_s: Event time that the stream has reached.
            backlog: Whether input waits: a burst goes on in slices that the epoch can bear.
        """
        if not self._learn.enabled or not self._trainer.objectives:
            return LearnReport()
        generator = np.random.default_rng((self._seed, epoch))
        if self._replay.max_age is not None:
            self._memory.expire(now_s - self._replay.max_age)
        self._memory.add(fresh, event_time_N, generator)
        plan = self._schedule.plan(num_events=num_events, num_learnt=num_learnt, backlog=backlog)
        batches = draw_batches(
            (fresh, event_time_N),
            self._memory,
            num_batches=len(plan.rates),
            num_samples=plan.batch,
            # A burst learns the whole past; in upkeep the newest must not wait for their turn.
            share=1.0 if plan.burst else self._replay.share,
            generator=generator,
        )
        torch_generator = self._torch_generator(epoch)
        span_s = input_span_s(event_time_N, self._spec.steps)
        tally = Tally()
        self._digest = self._readout = None
        for number, (rate, drawn) in enumerate(zip(plan.rates, batches, strict=False), plan.first):
            sample = make_sample(drawn, span_s=span_s, device=self._device)
            step = self._trainer.step(sample, rate=rate, generator=torch_generator, number=number)
            tally.add(step, sample)
            self._last_sample = sample
        return tally.report()

    @torch.inference_mode()
    def spread(self) -> Spread:
        """Of the teacher's embeddings of the last batch, fresh and replayed."""
        if self._last_sample is None:
            return Spread()
        embedding_BD = self._trainer.teacher.encode(self._last_sample.inputs)
        return Spread(effective_rank(embedding_BD), min_standard_deviation(embedding_BD))

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides what comes next; random choices follow from the epoch."""
        return {
            "trainer": self._trainer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "replay": self._memory.state_dict(),
            "policy": self._replay.policy,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state of the same sizes, bit for bit.

        Raises:
            ValueError: It holds the memory of another replay policy.
        """
        policy = state.get("policy", "reservoir")
        if policy != self._replay.policy:
            raise ValueError(f"its replay.policy is {policy!r}, not {self._replay.policy!r}")
        self._digest = self._readout = None
        self._trainer.load_state_dict(state["trainer"])
        self._schedule.load_state_dict(state["schedule"])
        self._memory.load_state_dict(state["replay"])

    def weights_digest(self) -> int:
        """CRC-32C over the bytes of student and teacher, in the order of their names."""
        if self._digest is None:
            self._digest = 0
            for side in (self._trainer.student, self._trainer.teacher):
                for _, tensor in sorted(side.state_dict().items()):
                    values = np.ascontiguousarray(tensor.cpu().numpy())
                    self._digest = crc32c.crc32c(values.data, self._digest)
        return self._digest

    def _build(
        self, network: Callable[[LearnerConfig], Network], objectives: ObjectivesConfig
    ) -> Trainer:
        generator = torch.Generator().manual_seed(self._seed)
        # torch draws first weights from its global generator only: lend it our seed.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)
            student = network(self._learner)
        sizes = HeadSizes(self._learner.embedding, self._learner.projection)
        terms = build_objectives(objectives, sizes=sizes, generator=generator)
        return Trainer(
            student=student.to(self._device),
            objectives={name: term.to(self._device) for name, term in terms.items()},
            config=self._learner,
        )

    def _torch_generator(self, epoch: int) -> torch.Generator:
        words = np.random.SeedSequence((self._seed, epoch, 1)).generate_state(1, np.uint64)
        return torch.Generator(self._device).manual_seed(int(words[0] >> np.uint64(1)))
