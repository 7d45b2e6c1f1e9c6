from __future__ import annotations

import random

import pytest

from seq2seq_core.evaluation.rouge import tokenize
from seq2seq_core.evaluation.scores import score, signatures

ROUGE = ("rouge1", "rouge2", "rougeL")

pytest.importorskip("rouge_score", reason="ROUGE needs rouge-score")


def test_english_gets_the_scores_of_the_reference_implementation(fresh_random: random.Random) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    words = ["The", "cat's", "sat_on", "mat,", "on", "the", "U.S.", "1,000", "a-b", "dogs", "–"]
    texts = [" ".join(fresh_random.choices(words, k=fresh_random.randrange(0, 12))) for _ in range(60)]
    hypotheses, references = texts[:30], texts[30:]
    scorer = RougeScorer(list(ROUGE))
    for metric in ROUGE:
        single = [scorer.score(r, h)[metric].fmeasure for h, r in zip(hypotheses, references, strict=True)]
        assert score(hypotheses, references, [metric])[metric] == pytest.approx(100 * sum(single) / 30)


def test_scores_by_hand() -> None:
    # unigrams: 3 of 4 and 3 of 3; bigrams: 1 of 3 and 1 of 2; longest common subsequence: 3
    scores = score(["police killed the gunman"], ["police the gunman"], ROUGE)
    assert scores == pytest.approx({"rouge1": 100 * 6 / 7, "rouge2": 40.0, "rougeL": 100 * 6 / 7})
    assert score(["", "a"], ["a", "a"], ["rouge1"]) == {"rouge1": 50.0}


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Пётр и Волк!", ["пётр", "и", "волк"]),
        ("e\u0301te\u0301 2031", ["e\u0301te\u0301", "2031"]),
        ("日本語のテキスト v2", [*"日本語のテキスト", "v2"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("اللغة العربية", ["اللغة", "العربية"]),
        ("ไทย", ["ไ", "ท", "ย"]),
        ("snake_case", ["snake", "case"]),
        (" – ", []),
    ],
)
def test_every_script_has_tokens(text: str, tokens: list[str]) -> None:
    assert tokenize(text) == tokens
    assert score([text], [text], ["rouge1"])["rouge1"] == (100.0 if tokens else 0.0)


def test_a_signature_names_the_package() -> None:
    assert signatures(["rougeL", "cer"]) == {"rougeL": "rouge-score:0.1.2|F1|case:lc|stem:no|tok:unicode"}
