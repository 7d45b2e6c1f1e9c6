"""Every metric there is: what holds for all of them."""

from __future__ import annotations

import importlib.metadata
import random
import subprocess
import sys

import pytest

from seq2seq_core.config.metric_names import list_metrics
from seq2seq_core.errors import UserError
from seq2seq_core.evaluation.metric import DEFAULT_OPTIONS, Metric
from seq2seq_core.evaluation.scores import check_installed, find_metric, is_higher_better, quick_metrics, score
from tests.installed_metrics import installed_metrics

TEXT = "the cat sat there"


def every_metric_of_a_sentence() -> list[Metric]:
    return [metric for metric in installed_metrics() if not metric.weighs_rows]


@pytest.mark.parametrize("name", list_metrics())
def test_a_metric_is_named_as_its_file(name: str) -> None:
    assert find_metric(name).name == name


@pytest.mark.parametrize("metric", every_metric_of_a_sentence(), ids=lambda metric: metric.name)
def test_the_better_text_has_the_better_score(metric: Metric) -> None:
    worse, better = (metric.compute([text], [TEXT], DEFAULT_OPTIONS) for text in ("dog", TEXT))
    assert worse != better
    assert (better > worse) == metric.higher_is_better == is_higher_better(metric.name)
    assert not is_higher_better("loss")


@pytest.mark.parametrize("metric", installed_metrics(), ids=lambda metric: metric.name)
def test_scores_are_within_the_range_that_a_metric_states(metric: Metric, fresh_random: random.Random) -> None:
    texts = [" ".join(fresh_random.choices(["the", "cat", "sat", "x"], k=fresh_random.randrange(1, 9))) for _ in range(30)]
    scores = [metric.compute([texts[-place]], [text], DEFAULT_OPTIONS) for place, text in enumerate([*texts, TEXT])]
    assert min(scores) >= metric.low
    assert metric.high is None or max(scores) <= metric.high + 1e-9


@pytest.mark.parametrize("metric", every_metric_of_a_sentence(), ids=lambda metric: metric.name)
def test_a_perfect_sentence_has_the_reward_one_and_a_wrong_one_less(metric: Metric) -> None:
    assert metric.reward(TEXT, TEXT) == pytest.approx(1.0)
    assert metric.reward("dog", TEXT) < 0.5


def test_the_scores_come_in_the_order_asked_for() -> None:
    assert list(score(["a"], ["a"], ["wer", "bleu", "exact_match"])) == ["wer", "bleu", "exact_match"]


@pytest.mark.parametrize(("hypotheses", "references"), [([], []), (["a"], []), (["a"], ["a", "b"])])
def test_sets_of_unequal_or_no_length_are_refused(hypotheses: list[str], references: list[str]) -> None:
    message = f"expected at least one hypothesis and as many references, got {len(hypotheses)} and {len(references)}"
    with pytest.raises(ValueError, match=message):
        score(hypotheses, references, ["wer"])


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(ValueError, match=f"unknown metric 'rouge', expected one of {', '.join(list_metrics())}$"):
        score(["a"], ["a"], ["bleu", "rouge"])


def test_translation_edit_rate_is_too_slow_to_be_computed_often() -> None:
    assert quick_metrics(["wer", "ter", "bleu"]) == ["wer", "bleu"]


def test_without_its_package_a_metric_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_none(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", find_none)
    check_installed(["bleu"])
    message = "rouge2: needs the package rouge-score, which is not installed; run: pip install rouge-score"
    for use in (lambda: check_installed(["bleu", "rouge2"]), lambda: score(["a"], ["a"], ["bleu", "rouge2"])):
        with pytest.raises(UserError) as caught:
            use()
        assert str(caught.value) == message


PROBE = """
import sys
from seq2seq_core.config.metric_names import list_metrics
from seq2seq_core.evaluation.scores import score
list_metrics()
score(["a"], ["a"], ["wer"])
loaded = [name for name in ("torch", "sacrebleu", "rouge_score", "seq2seq_core.evaluation.metrics.cer") if name in sys.modules]
sys.exit(", ".join(loaded) or 0)
"""


def test_only_the_metric_that_is_asked_for_is_imported_and_none_needs_torch() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
