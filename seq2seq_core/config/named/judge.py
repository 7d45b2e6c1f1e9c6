"""A second model that judges in training what the first one writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from seq2seq_core.config.objective_sections import REWARD_OBJECTIVES
from seq2seq_core.config.section import Section

if TYPE_CHECKING:
    from seq2seq_core.config.train import Phase

JUDGED_OBJECTIVES = ("frames", *REWARD_OBJECTIVES)
"""Objectives that ask the judge."""


class Judge(Section):
    """A second model that reads what the model writes; it stays as it is.

    The objectives ``minimum_risk`` and ``self_critical`` reward a sample whose source it restores (the reward is between its output
    and the source, not between the sample and the target). With ``frames`` it is a recogniser, and its loss over frames that the
    model wrote by itself is added.
    """

    reader: str = Field(min_length=1)
    """The judge: ``models:/NAME/VERSION`` of the registry, ``models:/NAME@ALIAS`` with ``reader_digest``, or the folder of a bundle
    (relative to the workspace)."""
    reader_digest: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """Digest that its bundle must have (64 digits), so that nothing else can take its place; empty: any."""
    weight: float = Field(default=1.0, gt=0.0)
    """``frames``: weight of the judge's loss (nats per symbol, mean over utterances) beside that of the frames."""

    @model_validator(mode="after")
    def _never_becomes_another(self) -> Self:
        if self.reader.startswith("models:") and "@" in self.reader and not self.reader_digest:
            raise ValueError(
                "reader must be a version such as models:/NAME/3, or be pinned by reader_digest, because an alias comes to mean "
                f"another model; got {self.reader!r}"
            )
        return self


def judges_asked(phases: Sequence[Phase]) -> Iterator[tuple[int, Judge]]:
    """The judge of each phase that asks one, with the number of the phase.

    Args:
        phases: of a training.
    """
    for number, phase in enumerate(phases):
        if phase.judge is not None and phase.asks_judge:
            yield number, phase.judge
