"""``train.ensemble``: several models that are trained as one stage and decode together."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from seq2seq_core.config.section import Section


class EnsembleSettings(Section):
    """The members of an ensemble; each symbol's log-probability is the mean of theirs."""

    members: int = Field(default=0, ge=0, le=32)
    """Models that decode together; 0: one model. Decoding, and for ``seeds`` training, costs so many times as much."""
    kind: Literal["seeds", "snapshots"] = "seeds"
    """``seeds``: trainings with the seeds ``train.seed``, ``train.seed`` + 1 and so on. ``snapshots``: the weights at the last
    validations of one training, which costs nothing but longer validations and gains less (Sennrich 2016, section 2.2); the dev
    metric that chooses the best is then that of the ensemble."""

    @property
    def num_snapshots(self) -> int:
        """Validations whose weights decode together; 0: the weights of one."""
        return self.members if self.kind == "snapshots" else 0

    @property
    def num_seeds(self) -> int:
        """Trainings."""
        return self.members if self.members and self.kind == "seeds" else 1

    @model_validator(mode="after")
    def _one_is_no_ensemble(self) -> Self:
        if self.members == 1:
            raise ValueError("members must be 0 (one model) or at least 2, got 1")
        return self
