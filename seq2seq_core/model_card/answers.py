"""What the evaluation showed: slices, worst answers, calibration. Columns that its files lack leave a gap."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq_core.artifacts import Paths
from seq2seq_core.corpus.pairs import SOURCE, TARGET
from seq2seq_core.evaluation.edit_distance import edit_distance
from seq2seq_core.evaluation.error_rate import nearest_reference
from seq2seq_core.evaluation.report import PREDICTIONS_FILE
from seq2seq_core.evaluation.several_references import is_right
from seq2seq_core.gate.scored_rows import ScoredRows
from seq2seq_core.json_text import shorten
from seq2seq_core.model_card.calibration import calibrate
from seq2seq_core.model_card.confidence_section import read_confidence
from seq2seq_core.model_card.facts import Answers, SliceScore, WorstRow
from seq2seq_core.model_card.origin import read_report

MAX_WORST, MAX_CHARACTERS, MAX_SLICES = 10, 200, 60


def read_predictions(paths: Paths) -> list[dict[str, Any]]:
    """The rows of the stored predictions; empty where there are none.

    Args:
        paths: the workspace.
    """
    file: Path = paths.evaluation / PREDICTIONS_FILE
    try:
        with file.open(encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
    except (OSError, ValueError):
        return []
    return rows if all(isinstance(row, dict) for row in rows) else []


def read_answers(
    pairs: Sequence[Mapping[str, str]], hypotheses: Sequence[str], test_set: str, rows: ScoredRows, paths: Paths
) -> Answers:
    """The facts of the workspace's evaluation.

    Args:
        pairs: the rows of the test set.
        hypotheses: one for each.
        test_set: digest of the test set.
        rows: the hypotheses by the main metric.
        paths: the workspace; reads ``reports/evaluation``.
    """
    predictions = read_predictions(paths)
    right = [is_right(text, pair[TARGET]) for pair, text in zip(pairs, hypotheses, strict=True)]
    logs = [row["log_probability"] for row in predictions if isinstance(row.get("log_probability"), int | float)]
    best = next((place for place, is_right in enumerate(right) if is_right), None)
    return Answers(
        test_set=test_set,
        rows=len(pairs),
        wrong=len(right) - sum(right),
        is_cut=sum(bool(row.get("is_cut")) for row in predictions),
        empty=sum(not text for text in hypotheses),
        slices=_slices(read_report(paths.evaluation_scores), rows.metric.name),
        worst=_worst(pairs, hypotheses, [row.get("edits") for row in predictions]),
        calibration=calibrate(logs, right, rows),
        confidence=read_confidence(paths),
        example=None
        if best is None
        else (shorten(pairs[best][SOURCE], MAX_CHARACTERS), shorten(pairs[best][TARGET], MAX_CHARACTERS)),
    )


def _slices(scores: Mapping[str, Any], metric: str) -> list[SliceScore]:
    columns = scores.get("slices")
    if not isinstance(columns, dict):
        return []
    return [
        SliceScore(column=column, value=value, count=int(own.get("count", 0)), score=float(own[metric]))
        for column, values in columns.items()
        for value, own in values.items()
        if metric in own
    ][:MAX_SLICES]


def _worst(pairs: Sequence[Mapping[str, str]], hypotheses: Sequence[str], known: Sequence[Any]) -> list[WorstRow]:
    """The answers with most edits per character of the reference; of equally bad ones the first."""
    wrong = []
    for place, (pair, text) in enumerate(zip(pairs, hypotheses, strict=True)):
        if not is_right(text, pair[TARGET]):
            nearest = nearest_reference(text, pair[TARGET])
            edits = known[place] if place < len(known) and isinstance(known[place], int) else edit_distance(nearest, text)
            wrong.append((edits / max(1, len(nearest)), place, nearest))
    return [
        WorstRow(
            row=place + 1,
            source=shorten(pairs[place][SOURCE], MAX_CHARACTERS),
            reference=shorten(nearest, MAX_CHARACTERS),
            hypothesis=shorten(hypotheses[place], MAX_CHARACTERS),
            cer=rate,
        )
        for rate, place, nearest in sorted(wrong, key=lambda one: (-one[0], one[1]))[:MAX_WORST]
    ]
