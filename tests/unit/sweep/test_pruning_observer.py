"""Which validations of a trial are reported for pruning."""

from __future__ import annotations

from typing import cast

from seq2seq_core.config.train import TrainSection
from seq2seq_core.sweep.study import SweepTrial
from seq2seq_core.sweep.trial import PruningObserver
from seq2seq_core.training.state.early_stopping import EarlyStopping
from seq2seq_core.training.state.progress_state import ProgressState, ValidationPoint


class ReportedTrial:
    def __init__(self) -> None:
        self.values: dict[int, float] = {}

    def reported_steps(self) -> list[int]:
        return list(self.values)

    def report(self, step: int, value: float) -> None:
        self.values[step] = value

    def should_be_pruned(self) -> bool:
        return False


def test_only_validations_by_the_criterion_of_the_last_phase_are_reported() -> None:
    train = TrainSection.model_validate(
        {
            "dev_metric": "bleu",
            "dev_bleu_tokenizer": "zh",
            "phases": [
                {"objective": "likelihood", "dev_bleu_tokenizer": "13a"},
                {"objective": "likelihood", "dev_metric": "loss"},
                {"objective": "likelihood", "learning_rate": 0.01},
                {"objective": "likelihood"},
            ],
        }
    )
    points = [
        ValidationPoint(
            phase=phase, step=step, train_loss=1.0, dev_loss=1.0, learning_rate=0.1, gradient_norm=1.0, dev_score=float(step)
        )
        for step, phase in enumerate([0, 1, 2, 3], start=1)
    ]
    trial = ReportedTrial()
    observer = PruningObserver(cast(SweepTrial, trial), train.all_phases())
    observer.observe(ProgressState(best=EarlyStopping(metric="bleu"), validations=points))
    assert trial.values == {3: 3.0, 4: 4.0}
