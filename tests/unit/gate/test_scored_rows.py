"""Scores from sums of statistics, against the metrics themselves."""

from __future__ import annotations

import re

import numpy as np
import pytest

from seq2seq_core.evaluation.metric import DEFAULT_OPTIONS, Metric, ScoringOptions
from seq2seq_core.evaluation.scores import find_metric
from seq2seq_core.gate import scored_rows
from seq2seq_core.gate.scored_rows import score_rows
from tests.installed_metrics import INSTALLED_METRICS
from tests.unit.gate.conftest import Garble


@pytest.mark.parametrize("name", INSTALLED_METRICS)
def test_the_rows_give_the_metrics_own_score_of_the_whole_and_of_any_part(name: str, garble: Garble, references: list[str]) -> None:
    hypotheses = [*garble(0.2, 1)[:-2], "", "völlig anders"]
    rows = score_rows(name, hypotheses, references)
    metric = find_metric(name)
    assert rows.score == pytest.approx(metric.compute(hypotheses, references, DEFAULT_OPTIONS), rel=1e-12)
    if metric.weighs_rows:  # by the rows of a whole test set
        return
    for part in ([3], [5, 5, 7], list(range(40, 90)), [len(references) - 2], [len(references) - 1]):
        expected = metric.compute([hypotheses[row] for row in part], [references[row] for row in part], DEFAULT_OPTIONS)
        assert rows.part(np.array(part)).score == pytest.approx(expected, rel=1e-12)


def test_the_score_is_by_the_tokeniser_of_the_options(references: list[str]) -> None:
    options = ScoringOptions(bleu_tokenizer="char")
    hypotheses = [reference[::-1] for reference in references]
    expected = find_metric("bleu").compute(hypotheses, references, options)
    assert score_rows("bleu", hypotheses, references, options).score == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["bleu", "chrf", "cer", "exact_match"])
def test_the_influence_is_what_a_row_that_counts_double_adds(name: str, garble: Garble, references: list[str]) -> None:
    rows = score_rows(name, garble(0.2, 1), references)
    doubled = [rows.part(np.append(np.arange(rows.num_rows), row)).score - rows.score for row in range(rows.num_rows)]
    influence = rows.influence()
    assert abs(influence.sum()) < 1e-4 * rows.score
    assert np.corrcoef(influence, doubled)[0, 1] > 0.999
    assert influence.std() == pytest.approx(np.std(doubled), rel=0.05)


def test_a_metric_without_statistics_is_the_mean_of_its_rows_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    mean = Metric(
        "mean", True, 1.0, lambda hypotheses, references, _: sum(map(str.__eq__, hypotheses, references)) / len(references)
    )
    monkeypatch.setattr(scored_rows, "find_metric", lambda _: mean)
    assert score_rows("mean", ["a", "b"], ["a", "c"]).score == 0.5
    total = Metric("total", True, 1.0, lambda hypotheses, references, _: float(sum(map(len, hypotheses))))
    monkeypatch.setattr(scored_rows, "find_metric", lambda _: total)
    message = (
        "total: the mean of its rows is 1.5, the score 3; a metric that is no mean of its rows declares `rows` "
        "(evaluation/row_scoring.py)"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        score_rows("total", ["a", "bb"], ["a", "c"])


def test_no_row_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one hypothesis and as many references, got 0 and 0"):
        score_rows("bleu", [], [])
