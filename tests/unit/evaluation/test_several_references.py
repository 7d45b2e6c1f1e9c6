from __future__ import annotations

import copy
import json
import math
import pickle
from pathlib import Path

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.evaluation.confidence.right_answers import find_right
from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.evaluation.scored_pairs import digest_of_test, read_scored
from seq2seq_core.evaluation.scores import find_metric, score, signatures
from seq2seq_core.evaluation.several_references import References, put_together, references_in
from seq2seq_core.gate.scored_rows import score_rows

HYPOTHESES = ["a cat sat on the mat", "the dog ran away", "two men play"]
ROWS = [
    References(["a cat sits on a mat", "a cat sat on the mat", "a cat sits on a mat"]),
    "a dog ran off",
    References(["two men play ball", "two boys play"]),
]


def test_rows_that_differ_in_the_target_alone_are_one_row() -> None:
    columns = [("a", "1", "de"), ("b", "2", "de"), ("a", "3", "de"), ("a", "4", "en"), ("a", "1", "de")]
    rows = [{"source": source, "target": target, "language": language} for source, target, language in columns]
    found = put_together(rows)
    assert [list(row) for row in found] == [["source", "target", "language"]] * 3
    assert [(row["source"], row["language"], references_in(row["target"])) for row in found] == [
        ("a", "de", ("1", "3")), ("b", "de", ("2",)), ("a", "en", ("4",)),
    ]  # fmt: skip
    assert found[0]["target"] == "1"  # for whoever reads a text


def test_a_copy_has_all_references_and_a_sentence_is_scored_by_all() -> None:
    for copied in (copy.copy(ROWS[0]), copy.deepcopy(ROWS[0]), pickle.loads(pickle.dumps(ROWS[0]))):
        assert (copied, references_in(copied)) == (ROWS[0], references_in(ROWS[0]))
    for name in ("bleu", "chrf", "exact_match", "wer", "cer"):
        assert find_metric(name).reward(HYPOTHESES[0], ROWS[0]) == pytest.approx(1.0), name


def test_an_answer_is_compared_with_all_references() -> None:
    scores = score(HYPOTHESES, ROWS, ["exact_match", "wer", "cer", "ter", "rouge1"])
    assert scores["exact_match"] == 1 / 3
    # "a dog ran off" is two words of four away; "two men play" is as far from both, and the first has four words
    assert scores["wer"] == pytest.approx((0 + 2 + 1) / (6 + 4 + 4))
    assert scores["cer"] == pytest.approx((0 + 7 + 4) / (20 + 13 + 13))
    assert scores["ter"] == pytest.approx(100 * (0 + 2 + 1) / (6 + 4 + 3.5))  # of the mean length of the references (Snover 2006)
    assert scores["rouge1"] == pytest.approx(100 * (1 + 2 / 4 + 6 / 7) / 3)


def test_the_rows_of_each_metric_give_its_score() -> None:
    names = ["exact_match", "bleu", "chrf", "ter", "cer", "wer", "rouge1", "rougeL"]
    alone = score(HYPOTHESES, [str(references_in(row)[-1]) for row in ROWS], names)
    for name, whole in score(HYPOTHESES, ROWS, names).items():
        assert score_rows(name, HYPOTHESES, ROWS).score == pytest.approx(whole)
        worse = whole >= alone[name] if name in ("ter", "cer", "wer") else whole <= alone[name]
        assert not worse or whole == pytest.approx(alone[name]), name


def test_signatures_say_that_the_number_of_references_varies() -> None:
    for name, text in signatures(["bleu", "chrf", "ter"], ScoringOptions(has_several_references=True)).items():
        assert "nrefs:var" in text, name
    assert all("nrefs:1" in text for text in signatures(["bleu", "chrf", "ter"]).values())


def test_cider_weighs_runs_of_words_by_how_rare_they_are() -> None:
    pytest.importorskip("pycocoevalcap", reason="CIDEr-D needs pycocoevalcap")
    # Two rows; the word "a" is in both, so its weight log(2 / 2) is 0, and the others' is log 2. The answer "a b c d e" has the
    # four words and all runs of its reference; "a x" shares nothing that counts.
    perfect, other = References(["a b c d e"]), References(["a f g h i", "a j k l m"])
    assert score(["a b c d e", "a x y z w"], [perfect, other], ["cider"])["cider"] == pytest.approx(10.0 / 2)
    # Two of four runs of one word that count are shared, both weights equal: cosine 2 / 4. Pairs: "b c" of three that are not
    # the same but for it, 1 / 4 with the first. Longer runs share nothing. The lengths are equal.
    found = score_rows("cider", ["a b c y z", "a"], [perfect, other])
    unigrams, pairs, triples = 2 / 4, 2 / 4, 1 / 3
    assert found.statistics[0, 0] == pytest.approx(10.0 * (unigrams + pairs + triples + 0) / 4)
    assert math.isfinite(found.score)


def test_a_confidence_is_of_any_reference() -> None:
    assert list(find_right(HYPOTHESES, ROWS, "exact_match", 0.0)) == [True, False, False]
    assert list(find_right(HYPOTHESES, ROWS, "chrf", 60.0)) == [True, False, True]


def settings_with(references: str, **evaluate: object) -> Settings:
    sections = {"corpus": {"path": "x", "files": {"train": ["train.tsv"]}}, "register": {"model_name": "m"}}
    return parse_settings(sections | {"evaluate": {"references": references} | evaluate}, "test")


def test_the_same_file_scored_otherwise_is_another_test_set(tmp_path: Path) -> None:
    path = Paths(tmp_path).prepared_split("test")
    path.parent.mkdir(parents=True)
    rows = [{"source": source, "target": target} for source, target in (("a", "1"), ("a", "2"), ("b", "3"))]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    each, together = (settings_with(kind).evaluate for kind in ("each", "together"))
    assert [len(read_scored(path, section, 0)) for section in (each, together)] == [3, 2]
    assert [references_in(row["target"]) for row in read_scored(path, together, 1)] == [("1", "2")]
    assert digest_of_test(path, each) != digest_of_test(path, together)
