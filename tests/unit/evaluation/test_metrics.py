from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Hashable, Sequence

import pytest
import sacrebleu

from seq2seq_core.evaluation.metrics import ALL_METRICS, HIGHER_IS_BETTER, METRICS, edit_distance, score, signatures


def edit_distance_by_table(first: Sequence[object], second: Sequence[object]) -> int:
    """The dynamic programme of the textbook."""
    previous = list(range(len(second) + 1))
    for row, one in enumerate(first, 1):
        current = [row]
        for column, other in enumerate(second, 1):
            current.append(min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (one != other)))
        previous = current
    return previous[-1]


def test_the_edit_distance_is_that_of_the_textbook(fresh_random: random.Random) -> None:
    for _ in range(500):
        first, second = ("".join(fresh_random.choices("abcü", k=fresh_random.randrange(0, 80))) for _ in range(2))
        assert edit_distance(first, second) == edit_distance_by_table(first, second), (first, second)


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [
        ("", "", 0),
        ("abc", "", 3),
        ("", "abc", 3),
        ("kitten", "sitting", 3),
        (["t͡ʃ", "a"], ["t͡ʃ", "aː"], 1),
        ("a" * 200, "a" * 199, 1),
        ("a\0b", "ab", 1),
        ("\ud800a", "\ud801a", 1),
        ("😀👍🏽", "😁👍", 2),
        (["\0"], [""], 1),
        ([""], [], 1),
        (["ab"], ["a", "b"], 2),
    ],
)
def test_known_edit_distances(first: Sequence[str], second: Sequence[str], distance: int) -> None:
    assert edit_distance(first, second) == distance


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [
        (["a"], [97], 1),
        ("a", [97], 1),
        ("ab", ["a", "b"], 0),
        ([0], [2**61 - 1], 1),
        ([-1], [-2], 1),
        ([(1, "x"), None], [None], 1),
    ],
)
def test_symbols_are_compared_by_what_they_are_and_not_by_their_hashes(
    first: Sequence[Hashable], second: Sequence[Hashable], distance: int
) -> None:
    assert edit_distance(first, second) == distance


def test_the_edit_distance_of_symbols_is_that_of_the_textbook(fresh_random: random.Random) -> None:
    symbols: list[Hashable] = ["", "\0", "a", 97, "aa", None, 0, ("a",), "\ud800"]
    for _ in range(200):
        first, second = (fresh_random.choices(symbols, k=fresh_random.randrange(0, 80)) for _ in range(2))
        assert edit_distance(first, second) == edit_distance_by_table(first, second), (first, second)


def test_scores_worked_out_by_hand() -> None:
    hypotheses, references = ["a b c", "x y", ""], ["a b d", "x y", "z z"]
    scores = score(hypotheses, references, ["exact_match", "cer", "wer"])
    assert scores == {"exact_match": 1 / 3, "cer": (1 + 0 + 3) / 11, "wer": (1 + 0 + 2) / 7}


def test_error_rates_are_over_the_whole_set_not_means_of_sentences() -> None:
    assert score(["b", "aaaaaaaaa"], ["a", "aaaaaaaaa"], ["cer"])["cer"] == 0.1


def test_error_rates_count_code_points_and_can_exceed_one() -> None:
    assert score(["日本語"], ["日"], ["cer"])["cer"] == 2.0
    assert score(["e\u0301"], ["\u00e9"], ["exact_match", "cer"]) == {"exact_match": 0.0, "cer": 2.0}
    assert score(["ab"], [""], ["cer", "wer"]) == {"cer": 2.0, "wer": 1.0}
    assert score([""], [""], ["exact_match", "cer", "wer"]) == {"exact_match": 1.0, "cer": 0.0, "wer": 0.0}


def test_sacrebleu_scores_are_sacrebleus_own() -> None:
    hypotheses = ["the cat sat on the mat .", "a dog runs fast today"]
    references = ["the cat sat on a mat .", "a dog ran very fast today"]
    scores = score(hypotheses, references, ["bleu", "chrf", "ter"], "none")
    assert scores["bleu"] == sacrebleu.corpus_bleu(hypotheses, [references], tokenize="none", force=True).score
    assert scores["chrf"] == sacrebleu.corpus_chrf(hypotheses, [references]).score
    assert scores["ter"] == sacrebleu.corpus_ter(hypotheses, [references]).score


def test_the_bleu_tokenizer_is_used_and_named() -> None:
    hypotheses, references = ["我喜欢猫和狗"], ["我喜欢猫与狗"]
    assert score(hypotheses, references, ["bleu"], "zh") != score(hypotheses, references, ["bleu"], "none")
    found = signatures(METRICS, "zh")
    assert sorted(found) == ["bleu", "chrf", "ter"]
    assert found["bleu"] == f"nrefs:1|case:mixed|eff:no|tok:zh|smooth:exp|version:{sacrebleu.__version__}"
    assert signatures(["cer"], "zh") == {}


def test_the_scores_come_in_the_order_asked_for() -> None:
    assert list(score(["a"], ["a"], ["wer", "bleu", "exact_match"])) == ["wer", "bleu", "exact_match"]


def test_every_metric_has_a_direction() -> None:
    assert set(HIGHER_IS_BETTER) == {*ALL_METRICS, "loss"}
    worse, better = score(["x"], ["the cat sat there"]), score(["the cat sat there"], ["the cat sat there"])
    assert all((better[name] > worse[name]) == HIGHER_IS_BETTER[name] for name in METRICS)


@pytest.mark.parametrize(("hypotheses", "references"), [([], []), (["a"], []), (["a"], ["a", "b"])])
def test_sets_of_unequal_or_no_length_are_refused(hypotheses: list[str], references: list[str]) -> None:
    message = f"expected at least one hypothesis and as many references, got {len(hypotheses)} and {len(references)}"
    with pytest.raises(ValueError, match=message):
        score(hypotheses, references)


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown metric 'rouge', expected one of exact_match, bleu, chrf, ter, cer, wer"):
        score(["a"], ["a"], ["bleu", "rouge"])


def test_metrics_need_no_torch() -> None:
    program = "import sys, seq2seq_core.evaluation.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
