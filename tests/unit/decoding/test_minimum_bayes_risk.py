from __future__ import annotations

import random

import pytest
from sacrebleu.metrics.chrf import CHRF

from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.minimum_bayes_risk import rank_by_expected_utility
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.decoding.sentence_chrf import chrf


def random_texts(chance: random.Random, count: int, longest: int) -> list[str]:
    return ["".join(chance.choices("abc d\u00e9", k=chance.randrange(longest))) for _ in range(count)]


def test_chrf_is_that_of_sacrebleu(fresh_seed: int) -> None:
    chance, library = random.Random(fresh_seed), CHRF()
    pairs = list(zip(random_texts(chance, 400, 25), random_texts(chance, 400, 25), strict=True))
    pairs += [("the cat sat", "the cat sat on the mat"), ("a b", "ab"), ("x", "y"), ("", "a"), ("a", " "), ("aaaa", "aa")]
    for hypothesis, reference in pairs:
        if hypothesis != reference:
            assert chrf(hypothesis, reference) == pytest.approx(library.sentence_score(hypothesis, [reference]).score, abs=1e-9)


def test_equal_texts_have_the_highest_chrf_even_without_a_character() -> None:
    assert chrf("abc", "abc") == chrf("", "") == chrf(" ", " ") == 100.0


def test_the_first_is_the_sample_of_greatest_expected_utility(fresh_seed: int) -> None:
    chance = random.Random(fresh_seed)
    for _ in range(30):
        samples = random_texts(chance, 12, 5)
        library = CHRF()

        def utility(hypothesis: str, reference: str, library: CHRF = library) -> float:
            return 100.0 if hypothesis == reference else float(library.sentence_score(hypothesis, [reference]).score)

        expected = [sum(utility(candidate, sample) for sample in samples) / len(samples) for candidate in samples]
        ranked = rank_by_expected_utility(samples)
        assert ranked[0].expected_utility == pytest.approx(max(expected))
        assert expected[ranked[0].place] == pytest.approx(max(expected))
        assert [one.expected_utility for one in ranked] == pytest.approx(sorted(set_of_different(samples, expected), reverse=True))
        assert len({samples[one.place] for one in ranked}) == len(ranked) == len(set(samples))


def set_of_different(samples: list[str], expected: list[float]) -> list[float]:
    return list(dict(zip(samples, expected, strict=True)).values())


def test_any_utility_may_be_expected_and_among_equals_the_first_drawn_wins() -> None:
    ranked = rank_by_expected_utility(["b", "a", "c", "a"], lambda hypothesis, reference: float(hypothesis == reference))
    assert ranked == [(1, 0.5), (0, 0.25), (2, 0.25)]
    asymmetric = rank_by_expected_utility(["aa", "a"], lambda hypothesis, reference: len(hypothesis) / len(reference))
    assert asymmetric == [(0, 1.5), (1, 0.75)]


def test_minimum_bayes_risk_returns_the_best_of_the_samples(predictor: Predictor, fresh_seed: int) -> None:
    drawn = DecodingOptions(method="sampling", num_hypotheses=9, seed=fresh_seed, max_length=6)
    options = DecodingOptions(method="sampling", selection="mbr", mbr_samples=9, num_hypotheses=3, seed=fresh_seed, max_length=6)
    sources = ["abc", "", "hg fe d", "ponm"]
    for samples, chosen in zip(
        predictor.predict(sources, drawn), predictor.predict(sources, options, batch_sentences=2, keep_alignments=True), strict=True
    ):
        texts = [hypothesis.text for hypothesis in samples.hypotheses]
        if texts == [""]:
            assert chosen == samples
            continue
        ranked = rank_by_expected_utility(texts)[:3]
        assert [hypothesis.text for hypothesis in chosen.hypotheses] == [texts[one.place] for one in ranked]
        assert [hypothesis.score for hypothesis in chosen.hypotheses] == [one.expected_utility for one in ranked]
        for one, hypothesis in zip(ranked, chosen.hypotheses, strict=True):
            assert hypothesis.log_probability == pytest.approx(samples.hypotheses[one.place].log_probability)
            assert hypothesis.alignment is not None
            assert " ".join(hypothesis.alignment.target_pieces[:-1]) == hypothesis.text
