"""Slices: their labels, their comparison, and weak ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import hypergeom

from seq2seq_core.gate.paired_comparison import Effort
from seq2seq_core.gate.scored_rows import ScoredRows, score_rows
from seq2seq_core.gate.slice_comparison import compare_slices, holm, rows_of_slices
from seq2seq_core.gate.slice_labels import script_of, source_labels, symbol_labels
from seq2seq_core.gate.weak_slices import find_weak_slices

FEW = Effort(draws=500, resamples=50)


def rows_of(right: np.ndarray[tuple[int], np.dtype[np.bool_]], metric: str = "exact_match") -> ScoredRows:
    """A system that is right on some rows."""
    return score_rows(metric, ["a b c d" if is_right else "a x c d" for is_right in right], ["a b c d"] * len(right))


def test_holm_is_as_in_a_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_scripts_and_rare_symbols_label_sources() -> None:
    assert [script_of(text) for text in ("Straße 7", "Москва x", "北京", "12 :)")] == ["latin", "cyrillic", "cjk", "none"]
    assert symbol_labels(["ab"] * 199 + ["añ"]) == ["common"] * 199 + ["rare"]
    labels = source_labels(["ab", "abcd", "abc", "a"])
    assert set(labels) == {"source_length", "source_symbols", "source_script"}
    assert all(len(values) == 4 for values in labels.values())


def test_slices_need_enough_rows_and_a_column_with_two_labels() -> None:
    labels = {"domain": ["news"] * 5 + ["chat"] * 2, "language": ["de"] * 7}
    assert list(rows_of_slices(labels, 2)) == ["domain=chat", "domain=news"]
    assert list(rows_of_slices(labels, 3)) == ["domain=news"]


def test_a_slice_that_falls_is_found_although_the_whole_rises() -> None:
    domain = np.array(["chat"] * 100 + ["news"] * 300)
    champion = rows_of(np.arange(400) % 10 < 7)
    challenger = rows_of(np.where(domain == "chat", np.arange(400) % 10 < 3, np.arange(400) % 10 < 9))
    chat, news = compare_slices(champion, challenger, {"domain": list(domain)}, 30, 0.05, FEW)
    assert (chat.name, news.name) == ("domain=chat", "domain=news")
    assert chat.p_worse < 1e-6 < 0.5 < chat.p_better
    assert news.p_better < 1e-6
    assert news.p_better == pytest.approx(2 * news.comparison.p_better)


@pytest.mark.parametrize("metric", ["exact_match", "wer", "bleu"])
def test_a_weak_pair_of_labels_is_found_among_others(metric: str) -> None:
    rng = np.random.default_rng(1)
    labels = {name: list(rng.choice(["x", "y", "z"], size=900)) for name in ("one", "two", "three")}
    weak = (np.array(labels["one"]) == "x") & (np.array(labels["two"]) == "y")
    system = rows_of(rng.random(900) < np.where(weak, 0.2, 0.9), metric)
    found = find_weak_slices(system, labels, 30, 0.01)
    assert found[0].names == ("one=x", "two=y")
    assert found[0].score == system.part(weak).score
    assert found[0].num_rows == weak.sum()
    assert not any("three" in name for slice_ in found for name in slice_.names)


def test_where_no_slice_is_weak_none_is_called_so_more_often_than_stated() -> None:
    rng = np.random.default_rng(2)
    called = 0
    for _ in range(60):
        labels = {name: list(rng.choice(["x", "y", "z"], size=200)) for name in ("one", "two")}
        called += bool(find_weak_slices(rows_of(rng.random(200) < 0.7), labels, 20, 0.1))
    assert called <= 12


def test_the_chance_of_a_weak_slice_of_right_or_wrong_rows_is_that_of_draws_without_replacement() -> None:
    is_right = np.array([True] * 12 + [False] * 28 + [True] * 50 + [False] * 10)
    (found,) = find_weak_slices(rows_of(is_right), {"domain": ["chat"] * 40 + ["news"] * 60}, 20, 0.05)
    assert found.p_value == pytest.approx(2 * hypergeom.cdf(12, 100, 62, 40), rel=1e-9)  # two slices were tried
