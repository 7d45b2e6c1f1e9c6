"""The comparison of two systems, with sacreBLEU's as a reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from sacrebleu.significance import PairedTest, Result

from seq2seq_core.evaluation.metric import DEFAULT_OPTIONS
from seq2seq_core.evaluation.scores import find_metric
from seq2seq_core.gate.paired_comparison import Effort, compare, paired_influence
from seq2seq_core.gate.published_test import published_test
from seq2seq_core.gate.scored_rows import ScoredRows, score_rows
from tests.installed_metrics import INSTALLED_METRICS
from tests.unit.gate.conftest import NUM_ROWS, Garble

FEW = Effort(draws=4000, resamples=1000)


def rows_of(right: list[int]) -> ScoredRows:
    """A system with exact match, right on some of its rows."""
    return score_rows("exact_match", ["a" if is_right else "b" for is_right in right], ["a"] * len(right))


@pytest.mark.parametrize("name", INSTALLED_METRICS)
def test_better_outputs_are_better_and_the_same_the_other_way_round_worse(name: str, garble: Garble, references: list[str]) -> None:
    bad, good = (score_rows(name, garble(share, 2), references) for share in (0.4, 0.05))
    forwards, backwards = compare(bad, good, 0.01, effort=FEW), compare(good, bad, 0.01, effort=FEW)
    assert (forwards.outcome, backwards.outcome) == ("better", "worse")
    assert forwards.gain.low > 0 > backwards.gain.high
    assert forwards.gain.value == pytest.approx(-backwards.gain.value)
    assert forwards.p_better == pytest.approx(backwards.p_worse, rel=0.3)


@pytest.mark.parametrize("name", INSTALLED_METRICS)
def test_the_same_outputs_are_undecided_and_with_a_margin_equal(name: str, garble: Garble, references: list[str]) -> None:
    rows = score_rows(name, garble(0.2, 2), references)
    assert compare(rows, rows, 0.01, effort=FEW).outcome == "undecided"
    with_margin = compare(rows, rows, 0.01, margin=0.01 * rows.metric.scale, effort=FEW)
    assert with_margin.outcome == "equal"
    assert (with_margin.p_better, with_margin.num_differing, with_margin.smallest_p) == (1.0, 0, 1.0)


@pytest.mark.parametrize("name", ["bleu", "chrf", "ter"])
def test_twice_the_p_value_is_that_of_sacrebleu(name: str, garble: Garble, references: list[str]) -> None:
    outputs = garble(0.30, 3), garble(0.26, 5)
    first, second = (score_rows(name, texts, references) for texts in outputs)
    ours = compare(first, second, 0.03, effort=FEW)
    theirs = published_test(name, *outputs, references, num_trials=4000)
    assert theirs is not None
    assert 2 * min(ours.p_better, ours.p_worse) == pytest.approx(theirs.p_value, rel=0.15, abs=0.02)
    assert "ar:4000|seed:12345" in theirs.signature


@pytest.mark.parametrize("name", ["bleu", "chrf", "ter"])
def test_the_interval_of_a_score_is_that_of_sacrebleu(name: str, garble: Garble, references: list[str]) -> None:
    outputs = garble(0.30, 3), garble(0.26, 5)
    scoring = find_metric(name).rows
    assert scoring is not None
    assert scoring.library is not None
    systems: list[tuple[str, Sequence[str]]] = [("champion", outputs[0]), ("challenger", outputs[1])]
    test = PairedTest(systems, {name: scoring.library(DEFAULT_OPTIONS)}, [references], test_type="bs", n_samples=1000)
    _, results = test()
    theirs = next(values for key, values in results.items() if key != "System")[1]
    assert isinstance(theirs, Result)
    first, second = (score_rows(name, texts, references) for texts in outputs)
    ours = compare(first, second, 0.03, effort=FEW).challenger
    assert (ours.high - ours.low) / 2 == pytest.approx(theirs.ci, rel=0.1)


def test_a_metric_of_another_library_has_no_published_test(references: list[str]) -> None:
    assert published_test("cer", references, references, references) is None


@pytest.mark.parametrize(("loss", "outcome"), [(0, "equal"), (3, "equal"), (40, "worse")])
def test_equal_means_worse_by_less_than_the_margin(loss: int, outcome: str) -> None:
    champion = rows_of([1] * 800 + [0] * 200)
    challenger = rows_of([0] * (10 + loss) + [1] * (790 - loss) + [1] * 10 + [0] * 190)
    assert compare(champion, challenger, 0.01, margin=0.02, effort=FEW).outcome == outcome


def test_a_loss_of_just_the_margin_is_called_equal_no_more_often_than_the_level() -> None:
    rng, level, margin, trials = np.random.default_rng(5), 0.05, 0.02, 500
    called = 0
    for seed in range(trials):
        kind = rng.choice(3, p=[0.04, 0.06, 0.9], size=600)
        champion, challenger = rows_of([int(k != 0) for k in kind]), rows_of([int(k != 1) for k in kind])
        found = compare(champion, challenger, level, margin, Effort(draws=200, resamples=2, seed=seed))
        called += found.p_within_margin <= level
    assert 0.4 * level < called / trials <= level + 2.5 * np.sqrt(level / trials)


@pytest.mark.parametrize("name", ["bleu", "exact_match", "wer"])
def test_the_error_from_the_influence_is_that_of_the_bootstrap(name: str, garble: Garble, references: list[str]) -> None:
    first, second = (score_rows(name, garble(share, 3), references) for share in (0.1, 0.08))
    interval = compare(first, second, 0.03, effort=Effort(10, 4000)).gain
    error = np.sqrt((paired_influence(first, second) ** 2).sum())
    assert error == pytest.approx((interval.high - interval.low) / (2 * 1.96), rel=0.15)


@pytest.mark.parametrize("name", INSTALLED_METRICS)
def test_useless_and_empty_outputs_are_undecided(name: str, references: list[str]) -> None:
    useless, empty = (score_rows(name, texts, references) for texts in ([f"?{row}" for row in range(NUM_ROWS)], [""] * NUM_ROWS))
    found = compare(useless, empty, 1e-6, effort=FEW)
    assert np.isfinite([found.p_better, found.p_worse, found.gain.low, found.gain.high]).all()
    if found.gain.value == 0:
        assert found.outcome == "undecided"
        assert min(found.p_better, found.p_worse) > 0.5


def test_other_rows_and_other_metrics_are_refused(references: list[str]) -> None:
    bleu, short, chrf = (
        score_rows("bleu", references, references),
        score_rows("bleu", references[:5], references[:5]),
        score_rows("chrf", references, references),
    )
    with pytest.raises(ValueError, match=f"the same rows, got bleu of {NUM_ROWS} rows and bleu of 5"):
        compare(bleu, short, 0.03)
    with pytest.raises(ValueError, match=f"one metric and the same rows, got bleu of {NUM_ROWS} rows and chrf of {NUM_ROWS}"):
        compare(bleu, chrf, 0.03)
