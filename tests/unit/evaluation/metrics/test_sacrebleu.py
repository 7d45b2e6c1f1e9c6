from __future__ import annotations

import pytest
import sacrebleu

from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.evaluation.metrics.bleu import METRIC
from seq2seq_core.evaluation.scores import score, signatures


def test_sacrebleu_scores_are_sacrebleus_own() -> None:
    hypotheses = ["the cat sat on the mat .", "a dog runs fast today"]
    references = ["the cat sat on a mat .", "a dog ran very fast today"]
    scores = score(hypotheses, references, ["bleu", "chrf", "ter"], ScoringOptions(bleu_tokenizer="none"))
    assert scores["bleu"] == sacrebleu.corpus_bleu(hypotheses, [references], tokenize="none", force=True).score
    assert scores["chrf"] == sacrebleu.corpus_chrf(hypotheses, [references]).score
    assert scores["ter"] == sacrebleu.corpus_ter(hypotheses, [references]).score


def test_the_bleu_tokenizer_is_used_and_named() -> None:
    hypotheses, references = ["我喜欢猫和狗"], ["我喜欢猫与狗"]
    chinese, none = ScoringOptions(bleu_tokenizer="zh"), ScoringOptions(bleu_tokenizer="none")
    assert score(hypotheses, references, ["bleu"], chinese) != score(hypotheses, references, ["bleu"], none)
    found = signatures(["exact_match", "bleu", "chrf", "ter", "wer"], chinese)
    assert sorted(found) == ["bleu", "chrf", "ter"]
    assert found["bleu"] == f"nrefs:1|case:mixed|eff:no|tok:zh|smooth:exp|version:{sacrebleu.__version__}"
    assert signatures(["cer"], chinese) == {}


def test_bleu_of_a_sentence_adds_one_to_the_longer_n_grams() -> None:
    # 1-grams 3/4, 2-grams (1 + 1)/(3 + 1), 3-grams (0 + 1)/(2 + 1), 4-grams (0 + 1)/(1 + 1); not shorter than the reference
    assert METRIC.reward("a b c d", "a b d") == pytest.approx((3 / 4 * 2 / 4 * 1 / 3 * 1 / 2) ** 0.25)
