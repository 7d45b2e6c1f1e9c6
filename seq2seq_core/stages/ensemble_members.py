"""The trainings of an ensemble: what each reached, its curves, and the model that they make together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq_core.modeling.ensemble import AnyModel, Ensemble
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.recorder import NullRecorder, Recorder
from seq2seq_core.training.run import FinishedTraining
from seq2seq_core.training.state.progress_state import ProgressState, ValidationPoint


@dataclass(frozen=True)
class Member:
    """A finished training of an ensemble, or the only one.

    Attributes:
        seed: of the training.
        finished: its model and its progress.
    """

    seed: int
    finished: FinishedTraining

    @property
    def state(self) -> ProgressState:
        """Its final progress."""
        return self.finished.state

    @property
    def chosen(self) -> ValidationPoint:
        """The validation of its best weights."""
        return next(point for point in self.state.validations if point.step == self.state.best.step)

    def report(self) -> dict[str, object]:
        """Its part of ``reports/train.json``."""
        score = self.chosen.dev_score
        return {
            "seed": self.seed,
            "steps": self.state.step,
            "end": self.finished.end,
            "best_step": self.state.best.step,
            "best_dev_loss": round(self.chosen.dev_loss, 6),
            **({} if score is None else {"best_dev_score": round(score, 6)}),
        }


def joined(members: Sequence[Member]) -> AnyModel:
    """The model that decodes: that of the only training, or the ensemble of all.

    Args:
        members: at least one.
    """
    models = [member.finished.model for member in members]
    if len(models) == 1:
        return models[0]
    return Ensemble([model for model in models if isinstance(model, Seq2Seq)])


def number_of_models(model: AnyModel) -> int:
    """How many models decode together.

    Args:
        model: a model or an ensemble.
    """
    return len(model.members) if isinstance(model, Ensemble) else 1


class MemberRecorder(NullRecorder):
    """Records the curves of a further member under names of its own: ``member_2/dev_loss``.

    Args:
        recorder: of the stage.
        number: of the member, from 2.
    """

    def __init__(self, recorder: Recorder, number: int) -> None:
        self.recorder, self.number = recorder, number
        self.keeps_files = recorder.keeps_files

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """See :class:`~seq2seq_core.recorder.Recorder`."""
        self.recorder.log_metrics({f"member_{self.number}/{name}": value for name, value in metrics.items()}, step)

    def log_file(self, path: Path, folder: str = "") -> None:
        """See :class:`~seq2seq_core.recorder.Recorder`."""
        self.recorder.log_file(path, f"{folder}/member_{self.number}".lstrip("/"))
