"""The section of a card about the confidence of the answers: its calibration, and which threshold promises which error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from seq2seq_core.artifacts import Paths
from seq2seq_core.evaluation.report import CONFIDENCE_FILE
from seq2seq_core.model_card.blocks import Block, Picture, Section, Table, Text
from seq2seq_core.model_card.charts import confidence_chart
from seq2seq_core.model_card.facts import Answers, Confidence
from seq2seq_core.model_card.origin import read_report
from seq2seq_core.model_card.quality_sections import calibration_section, certainty_blocks


def read_confidence(paths: Paths) -> Confidence | None:
    """The facts of the workspace's confidences on test; None where there are none.

    Args:
        paths: the workspace; reads ``reports/evaluation/confidence.json``.
    """
    report: Mapping[str, Any] = read_report(paths.evaluation / CONFIDENCE_FILE)
    try:
        return Confidence.model_validate(report)
    except ValidationError:
        return None


def confidence_section(answers: Answers | None, metric: str) -> Section:
    """The confidence of the answers; of a model without one, the calibration of its own probabilities.

    Args:
        answers: what the evaluation showed.
        metric: the main metric.
    """
    if answers is None or answers.confidence is None:
        return calibration_section(answers.calibration if answers else None, metric)
    found = answers.confidence
    blocks: list[Block] = [Text(_describe(found))]
    blocks.append(Picture(confidence_chart(found.bins), "Share of right answers by confidence; on the diagonal both agree."))
    rows = [[f"{one.low:.3f} to {one.high:.3f}", str(one.count), f"{one.confidence:.3f}", f"{one.right:.3f}"] for one in found.bins]
    blocks.append(Table(["confidence", "answers", "mean", "share right"], rows, frozenset((1, 2, 3))))
    blocks += _promises(found)
    return Section("Confidence", [*blocks, *(certainty_blocks(answers.calibration, metric) if answers.calibration else [])])


def _describe(found: Confidence) -> str:
    error, chance = found.calibration_error, ""
    if found.ranking is not None:
        chance = f" With a chance of {found.ranking:.1%}, a right answer has a higher confidence than a wrong one."
    is_right = "equals its reference" if found.dev.event == "exact_match" else f"has a chrF of at least {found.dev.min_chrf:g}"
    return (
        f"The confidence of an answer is the probability that it {is_right}, fitted on {found.dev.rows} rows of dev. "
        f"On {found.rows} test rows its mean is {found.mean_confidence:.3f}, and a share of {found.right:.3f} is right. "
        f"The expected calibration error, by ten bins of as many answers each, is {error.value:.3f} (95 % interval of the "
        f"bootstrap {error.low:.3f} to {error.high:.3f}); by chance alone a perfect calibration would show "
        f"{error.by_chance:.3f}.{chance}"
    )


def _promises(found: Confidence) -> list[Block]:
    if not found.promises:
        return [Text("No threshold is proved on dev to keep the share of wrong answers at or below 50 %.")]
    rows = [
        [
            f"{one.max_error:.1%}",
            f"{one.min_confidence:g}",
            f"{one.answered:.1%}",
            f"{one.error:.2%} [{one.low:.2%}, {one.high:.2%}]",
            "yes" if one.is_kept else "no",
        ]
        for one in found.promises
    ]
    note = (
        "Thresholds (min_confidence) and the share of wrong answers that each promises, proved on dev at 95 % and checked on test:"
    )
    return [Text(note), Table(["promised", "threshold", "answered", "wrong on test", "kept"], rows, frozenset((0, 1, 2, 3)))]
