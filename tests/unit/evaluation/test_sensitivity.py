"""Which metric tells a small mistake from a useless hypothesis, by the kind of references."""

from __future__ import annotations

import pytest

from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.evaluation.sensitivity import explain_insensitivity, name_moving, name_sensitive

CHINESE = ["我们是中国人。", "他们在这里。", "你有没有时间？"]
JAPANESE = ["わたしは学生です。", "あなたはどこですか。"]
SEGMENTED = [" ".join(text) for text in CHINESE]
ENGLISH = ["the cat sat on the mat", "a dog ran home late"]
WORDS = ["colour", "analyse", "theatre"]

EVEN_PERFECT = "gives even the targets themselves its worst score, 0"
NO_SPACES = "counts words, and the targets have no spaces: one wrong character is as bad as none right"
ZH, CHAR = "bleu by the tokeniser zh", "bleu by the tokeniser char"


@pytest.mark.parametrize(
    ("metric", "tokenizer", "references", "reason", "others"),
    [
        ("bleu", "13a", CHINESE, EVEN_PERFECT, [ZH, CHAR, "chrf", "cer"]),
        ("bleu", "char", [text[:2] for text in CHINESE], EVEN_PERFECT, ["chrf", "cer"]),
        ("bleu", "13a", JAPANESE, EVEN_PERFECT, [ZH, CHAR, "chrf", "cer"]),
        ("bleu", "13a", WORDS, EVEN_PERFECT, [CHAR, "chrf", "cer"]),
        ("wer", "13a", CHINESE, NO_SPACES, ["chrf", "cer"]),
    ],
)
def test_a_metric_that_cannot_see_a_small_mistake_is_explained(
    metric: str, tokenizer: str, references: list[str], reason: str, others: list[str]
) -> None:
    options = ScoringOptions(bleu_tokenizer=tokenizer)
    assert explain_insensitivity(metric, references, options) == reason
    assert name_sensitive(metric, references, options) == others


@pytest.mark.parametrize(
    ("metric", "tokenizer", "references"),
    [
        ("bleu", "zh", CHINESE),
        ("bleu", "char", JAPANESE),
        ("bleu", "13a", SEGMENTED),
        ("bleu", "13a", ENGLISH),
        ("wer", "13a", SEGMENTED),
        ("wer", "13a", WORDS),  # the word error rate of single words is what the literature counts
        ("chrf", "13a", CHINESE),
        ("cer", "13a", CHINESE),
        ("exact_match", "13a", CHINESE),  # all or nothing by its nature
    ],
)
def test_other_metrics_are_not(metric: str, tokenizer: str, references: list[str]) -> None:
    assert explain_insensitivity(metric, references, ScoringOptions(bleu_tokenizer=tokenizer)) == ""


def test_of_hypotheses_those_metrics_are_named_that_are_not_at_their_worst() -> None:
    hypotheses = ["我们有时间。", "他们。", "你"]
    assert name_moving("exact_match", hypotheses, CHINESE, ScoringOptions()) == ["chrf (8.71)", "cer (0.65)"]
    assert name_moving("chrf", [""] * 3, CHINESE, ScoringOptions()) == []
    assert name_moving("bleu", CHINESE, CHINESE, ScoringOptions()) == [f"{ZH} (100)", f"{CHAR} (100)", "chrf (100)", "cer (0)"]
