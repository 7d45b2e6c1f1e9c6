"""The promotion gate: a version becomes champion if it beats the champion's score on the same test set. Also moves aliases."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from seq2seq_core.config.register import RegisterSection
from seq2seq_core.evaluation.scores import is_higher_better
from seq2seq_core.registry.versions import find_model, find_number

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION: Literal["champion"] = "champion"
CHALLENGER: Literal["challenger"] = "challenger"
ROUNDING = 1e-12
"""Tolerance on the minimum gain: in floating point, 0.9 - 0.8 is slightly less than 0.1."""


Alias = Literal["champion", "challenger"]
EXPERIMENT: Literal["experiment"] = "experiment"
"""The decision about a version of a DVC experiment: no alias."""
Verdict = Literal["champion", "challenger", "experiment"]


@dataclass(frozen=True)
class Champion:
    """The current champion when a version is registered.

    Attributes:
        version: the version's number.
        score: score on the current test set; None where it could not be scored.
        trouble: the reason why it could not be scored.
        scores: all known scores on the current test set, by metric.
    """

    version: str
    score: float | None
    trouble: str = ""
    scores: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """The alias of a version, and the reason.

    Attributes:
        alias: ``champion`` or ``challenger``.
        reason: one sentence with the figures.
    """

    alias: Alias
    reason: str


def decide(version: str, score: float, champion: Champion | None, gate: RegisterSection, test_limit: int = 0) -> Decision:
    """Decides on the alias of a version.

    Args:
        version: the version's number.
        score: the version's ``gate.metric`` on the current test set.
        champion: the current champion, if there is one.
        gate: the section ``register``.
        test_limit: number of test rows that were scored; 0 for all.
    """
    if champion is not None and champion.version == version:
        return Decision(CHAMPION, "it is the champion already")
    if math.isnan(score):
        return Decision(CHALLENGER, f"{gate.metric} is not a number")
    if test_limit:
        return Decision(CHALLENGER, f"only the first {test_limit} rows of the test set were scored (evaluate.test_limit)")
    direction = 1.0 if is_higher_better(gate.metric) else -1.0
    if gate.minimum_score is not None and (score - gate.minimum_score) * direction < 0:
        bound = "at least" if direction > 0 else "at most"
        return Decision(CHALLENGER, f"{gate.metric} {score:.6g} misses register.minimum_score ({bound} {gate.minimum_score:g})")
    return _compare(score, champion, gate, direction)


def _compare(score: float, champion: Champion | None, gate: RegisterSection, direction: float) -> Decision:
    """The decision against the champion."""
    if champion is None:
        return Decision(CHAMPION, f"there was no champion; {gate.metric} {score:.6g}")
    if champion.score is None:
        return Decision(CHALLENGER, f"version {champion.version}, the champion, cannot be compared with: {champion.trouble}")
    gain = (score - champion.score) * direction
    figures = f"{gate.metric} {score:.6g} against {champion.score:.6g} of version {champion.version}"
    if gain > 0 and gain >= gate.minimum_gain - ROUNDING:
        return Decision(CHAMPION, f"better than the champion: {figures}")
    if gain > 0:
        return Decision(CHALLENGER, f"its gain is below register.minimum_gain ({gate.minimum_gain:g}): {figures}")
    return Decision(CHALLENGER, f"no better than the champion: {figures}")


def find_champion(client: MlflowClient, name: str) -> ModelVersion | None:
    """The version that holds the alias ``champion``, or None.

    Args:
        client: the MLflow client.
        name: the registered model's name.
    """
    model = find_model(client, name)
    number = model.aliases.get(CHAMPION) if model is not None else None
    return find_number(client, name, str(number)) if number is not None else None


def move_alias(client: MlflowClient, name: str, version: str, alias: Alias) -> None:
    """Gives a version its alias; a new champion loses the alias ``challenger``.

    Args:
        client: the MLflow client.
        name: the registered model's name.
        version: the version's number.
        alias: from :func:`decide`.
    """
    client.set_registered_model_alias(name, alias, version)
    if alias == CHAMPION:
        model = find_model(client, name)
        if model is not None and str(model.aliases.get(CHALLENGER)) == version:
            client.delete_registered_model_alias(name, CHALLENGER)
