from __future__ import annotations

from seq2seq_core.evaluation.scores import score


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
