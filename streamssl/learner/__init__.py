"""Student, teacher, objectives and replay behind two verbs: `infer` reads, `learn` changes."""

from streamssl.learner.absent import AbsentLearner
from streamssl.learner.device import prepare
from streamssl.learner.learner import Learner
from streamssl.learner.report import Inference, LearnReport

__all__ = ["AbsentLearner", "Inference", "LearnReport", "Learner", "prepare"]
