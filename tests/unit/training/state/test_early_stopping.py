from __future__ import annotations

import json

import pytest

from seq2seq_core.config.metric_names import LOSS, DevMetric, list_metrics
from seq2seq_core.evaluation.scores import is_higher_better, quick_metrics
from seq2seq_core.training.state.early_stopping import EarlyStopping


@pytest.mark.parametrize(
    ("metric", "scores"), [("bleu", [1.0, 3.0, 2.0]), ("exact_match", [0.1, 0.3, 0.2]), ("cer", [0.9, 0.2, 0.5])]
)
def test_the_best_step_is_the_one_with_the_best_score(metric: DevMetric, scores: list[float]) -> None:
    best = EarlyStopping(metric=metric)
    assert [best.observe(step, loss=1.0, score=score) for step, score in enumerate(scores, start=1)] == [True, True, False]
    assert (best.step, best.score, best.num_stale) == (2, scores[1], 1)


def test_by_loss_the_lowest_counts_and_scores_do_not() -> None:
    best = EarlyStopping(metric="loss")
    assert [best.observe(step, loss, score) for step, (loss, score) in enumerate([(2.0, 9.0), (1.0, 1.0), (1.5, 20.0)])] == [
        True, True, False,
    ]  # fmt: skip
    assert (best.step, best.loss, best.num_stale) == (1, 1.0, 1)


def test_an_equal_score_with_a_lower_loss_is_kept_but_is_no_progress() -> None:
    best = EarlyStopping(metric="exact_match")
    best.observe(10, loss=0.5, score=1.0)
    assert best.observe(20, loss=0.4, score=1.0)
    assert not best.observe(30, loss=0.45, score=1.0)
    assert (best.step, best.loss, best.num_stale) == (20, 0.4, 2)


def test_progress_resets_the_count_of_stale_validations() -> None:
    best = EarlyStopping(metric="chrf")
    for step, score in enumerate([5.0, 4.0, 3.0]):
        best.observe(step, loss=1.0, score=score)
    assert best.num_stale == 2
    best.observe(3, loss=1.0, score=6.0)
    assert best.num_stale == 0


def test_the_best_so_far_survives_json_exactly() -> None:
    best = EarlyStopping(metric="bleu")
    best.observe(3, loss=0.1 + 0.2, score=1 / 3)
    assert EarlyStopping.model_validate_json(best.model_dump_json()) == best


@pytest.mark.parametrize("metric", [LOSS, *quick_metrics(list_metrics())])
def test_every_dev_metric_has_a_direction(metric: DevMetric) -> None:
    worse, better = (0.1, 0.2) if is_higher_better(metric) else (0.2, 0.1)
    for first, second, expected in ((worse, better, (2, 0)), (better, worse, (1, 1))):
        best = EarlyStopping(metric=metric)
        for step, value in enumerate((first, second), start=1):
            best.observe(step, value if metric == "loss" else 1.0, value)
        assert (best.step, best.num_stale) == expected


@pytest.mark.parametrize(
    ("metric", "worst", "first_better"), [("bleu", [0.0] * 5, 0.25), ("wer", [1.0, 1.5, 1.25, 3.0, 1.0], 0.75)]
)
def test_while_the_score_is_at_its_worst_a_lower_loss_is_progress(
    metric: DevMetric, worst: list[float], first_better: float
) -> None:
    best = EarlyStopping(metric=metric)
    seen = []
    for step, (loss, score) in enumerate(zip([3.0, 2.0, 2.5, 1.5, 1.5], worst, strict=True), start=1):
        best.observe(step, loss, score, min_improvement=0.125)
        seen.append((best.step, best.num_stale, best.num_at_worst))
    assert seen == [(1, 0, 1), (2, 0, 2), (2, 1, 3), (4, 0, 4), (4, 1, 5)]
    assert best.observe(6, 9.0, first_better, min_improvement=0.125)
    assert (best.step, best.num_stale, best.num_at_worst) == (6, 0, 0)
    assert not best.observe(7, 0.5, worst[0], min_improvement=0.125)
    assert (best.step, best.num_stale, best.num_at_worst) == (6, 1, 1)


def test_a_loss_has_no_worst_value() -> None:
    best = EarlyStopping(metric="loss")
    for step, loss in enumerate([0.0, 1.0, 0.5], start=1):
        best.observe(step, loss, score=0.0)
    assert (best.step, best.num_stale, best.num_at_worst) == (1, 2, 0)


def test_a_state_from_before_scores_at_their_worst_were_counted_loads() -> None:
    stored = {"metric": "wer", "step": 4, "loss": 2.0, "score": 1.5, "num_stale": 1, "counted": 1.75}
    best = EarlyStopping.model_validate_json(json.dumps(stored))
    assert best.observe(5, loss=1.5, score=2.0)
    assert (best.step, best.num_stale, best.num_at_worst) == (5, 0, 1)


@pytest.mark.parametrize(("metric", "sign"), [("bleu", 1), ("cer", -1)])
def test_what_is_better_by_too_little_is_kept_but_is_progress_only_once_it_adds_up(metric: DevMetric, sign: int) -> None:
    best = EarlyStopping(metric=metric)
    stale = []
    for step, score in enumerate([10.0, 10.25, 10.5, 10.75, 10.25, 11.25], start=1):
        best.observe(step, loss=1.0, score=sign * score, min_improvement=0.5)
        stale.append((best.step, best.num_stale))
    assert stale == [(1, 0), (2, 1), (3, 0), (4, 1), (4, 2), (6, 0)]
