from __future__ import annotations

from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.evaluation.slices import group_rare, length_buckets, score_slices


def test_each_value_is_scored_by_itself() -> None:
    parts = score_slices("language", ["de", "en", "de"], ["a", "b", "x"], ["a", "b", "c"], ["exact_match", "cer"])
    assert [(part.value, part.count, part.scores) for part in parts] == [
        ("de", 2, {"exact_match": 0.5, "cer": 0.5}),
        ("en", 1, {"exact_match": 1.0, "cer": 0.0}),
    ]


def test_a_value_may_have_a_tokeniser_of_bleu_of_its_own() -> None:
    texts, references = ["我爱你们大家", "我爱你们大家"], ["我爱你们所有", "我爱你们所有"]
    parts = score_slices(
        "language", ["zh", "xx"], texts, references, ["bleu"], options_by_value={"zh": ScoringOptions(bleu_tokenizer="zh")}
    )
    assert {part.value: part.scores["bleu"] > 30 for part in parts} == {"zh": True, "xx": False}


def test_the_commonest_values_are_kept_and_the_rest_put_together() -> None:
    values = ["b", "a", "c", "c", "", "d"]
    assert group_rare(values, max_values=3) == ["b", "a", "c", "c", "(empty)", "(other)"] or group_rare(values, 3)[4] == "(empty)"
    assert group_rare(values, max_values=2) == ["(other)", "(other)", "c", "c", "(empty)", "(other)"]
    assert group_rare([str(n) for n in range(60)]).count("(other)") == 10


def test_ranges_of_lengths_hold_about_a_quarter_each_and_every_source() -> None:
    names = length_buckets(["x" * length for length in range(1, 101)])
    assert list(dict.fromkeys(names)) == ["1-25", "26-50", "51-75", "76-100"]
    assert {names.count(name) for name in names} == {25}


def test_sources_of_one_length_are_one_range() -> None:
    assert length_buckets(["ab", "cd", "ef"]) == ["2", "2", "2"]
    assert length_buckets(["abc"]) == ["3"]
    assert length_buckets(["", "abc"]) == ["0", "1-3"]


def test_ranges_stand_in_order_of_length() -> None:
    sources = ["x" * length for length in (100, 9, 30, 2, 1, 55, 8, 70)]
    parts = score_slices("source_characters", length_buckets(sources), sources, sources, ["exact_match"])
    starts = [int(part.value.partition("-")[0]) for part in parts]
    assert starts == sorted(starts)
    assert sum(part.count for part in parts) == 8


def test_other_stands_last() -> None:
    parts = score_slices("x", ["(other)", "b", "a"], ["1"] * 3, ["1"] * 3, ["exact_match"])
    assert [part.value for part in parts] == ["a", "b", "(other)"]
