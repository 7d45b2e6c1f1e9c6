"""The two models that score pairs: one translates forward, one backward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.config.prepare import ScoreFilter
from seq2seq_core.corpus.pairs import SOURCE, TARGET
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import TagError, UserError
from seq2seq_core.serving.loading import FoundModel, find_pinned_model

FORWARD, BACKWARD = "forward", "backward"
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class FoundScorer:
    """One of the two models.

    Attributes:
        direction: ``forward`` or ``backward``.
        found: its bundle.
        origin: its name: ``models:/NAME/VERSION``, or the folder as the settings name it.
    """

    direction: str
    found: FoundModel
    origin: str

    @property
    def tags(self) -> dict[str, str]:
        """Its tags for a run of MLflow."""
        return {f"score_filter_{self.direction}": self.origin, f"score_filter_{self.direction}_digest": self.found.digest}


def find_scorers(section: ScoreFilter, paths: Paths) -> tuple[FoundScorer, FoundScorer]:
    """Both models, forward and backward.

    Args:
        section: names them.
        paths: the workspace; relative folders start at its root.

    Raises:
        UserError, BundleError, TrackingUnreachable: see :func:`~seq2seq_core.serving.loading.find_pinned_model`. A UserError
            also where a model reads recordings.
    """
    forward, backward = (
        FoundScorer(direction, *find_pinned_model(reference, pinned, f"prepare.score_filter.{direction}", paths))
        for direction, (reference, pinned) in section.models().items()
    )
    for scorer in (forward, backward):
        if read_config(scorer.found.folder).config.frame_width:
            raise UserError(
                f"prepare.score_filter.{scorer.direction}: must read texts, but {scorer.origin} reads recordings or pictures"
            )
    return forward, backward


class Scorer:
    """A loaded model that scores the pairs of its direction.

    Args:
        scorer: the model.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``auto``.
    """

    def __init__(self, scorer: FoundScorer, device: str) -> None:
        self._scorer, self._predictor = scorer, Predictor.from_folder(scorer.found.folder, device)

    def cross_entropy(self, pairs: Sequence[Mapping[str, str]]) -> Scores:
        """The negative log-likelihood per token (end mark included) of each pair's other side, in nats, of shape (N,).

        Args:
            pairs: with their other columns, of which the model takes its tags.

        Raises:
            UserError: a pair lacks a tag of the model.
        """
        asked, answered = (SOURCE, TARGET) if self._scorer.direction == FORWARD else (TARGET, SOURCE)
        try:
            found = self._predictor.score([pair[asked] for pair in pairs], [pair[answered] for pair in pairs], tags=pairs)
        except TagError as error:
            raise UserError(f"prepare.score_filter.{self._scorer.direction}: {self._scorer.origin}: {error}") from None
        return np.array([-one.log_probability / one.num_tokens for one in found], dtype=np.float32)


def combine(forward: Scores, backward: Scores) -> Scores:
    """The dual conditional cross-entropy score of each pair, from 0 to 1 (Junczys-Dowmunt 2018, eq. 1 and 2), of shape (N,).

    Both models must find the pair likely, and about equally so: exp(-(|H_f - H_b| + (H_f + H_b) / 2)).

    Args:
        forward: H_f of each pair, of shape (N,); infinite where the model gives it no probability.
        backward: H_b, likewise.
    """
    is_possible = np.isfinite(forward) & np.isfinite(backward)
    own, other = np.where(is_possible, forward, 0.0), np.where(is_possible, backward, 0.0)
    scores: Scores = np.where(is_possible, np.exp(-(np.abs(own - other) + (own + other) / 2)), 0.0).astype(np.float32)
    return scores
