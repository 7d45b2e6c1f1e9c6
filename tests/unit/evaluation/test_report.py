from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas

from seq2seq_core.evaluation.evaluator import Evaluation, Example
from seq2seq_core.evaluation.report import (
    make_metrics,
    make_scores,
    scores_as_markdown,
    slices_as_markdown,
    worst_as_markdown,
    write_evaluation,
)
from seq2seq_core.evaluation.scored import Decoding, Scored
from seq2seq_core.evaluation.slices import Slice

SCORED = Scored(Decoding("b", "pytorch", "float32", "t", 2, "o"), {"exact_match": "exact_match"}, "p")


def make_example(row: int, hypothesis: str, columns: dict[str, str]) -> Example:
    edits = 0 if hypothesis == "ref" else 2
    return Example(row, "so|urce", "ref", hypothesis, "ref", -0.123456789, -1.23456789, edits, not hypothesis, columns)


def make_evaluation(*examples: Example, sentences_per_second: float = 1.0) -> Evaluation:
    return Evaluation(
        test={"exact_match": 1 / 3, "ter": 12.3456789},
        greedy={"exact_match": 0.0, "ter": 50.0},
        baselines={"copy_source": {"exact_match": 0.25}},
        slices=[Slice("language", "de", 2, {"exact_match": 2 / 3}), Slice("language", "中", 1, {"exact_match": 0.0})],
        examples=list(examples) or [make_example(1, "ref", {"language": "de"}), make_example(2, "", {"language": "中"})],
        sentences_per_second={"beam": sentences_per_second},
    )


def test_metrics_are_nested_numbers_and_what_they_are_of() -> None:
    assert make_metrics(make_evaluation(), SCORED) == {
        "test": {"exact_match": 0.333333, "ter": 12.345679},
        "counts": {"pairs": 2, "wrong": 1, "cut_hypotheses": 1},
        "scored": [SCORED.to_dict()],  # a list, which `dvc metrics show` leaves out
    }
    assert make_scores(make_evaluation()) == {
        "test": {"exact_match": 0.333333, "ter": 12.345679},
        "greedy": {"exact_match": 0.0, "ter": 50.0},
        "baselines": {"copy_source": {"exact_match": 0.25}},
        "slices": {"language": {"de": {"exact_match": 0.666667, "count": 2}, "中": {"exact_match": 0.0, "count": 1}}},
        "counts": {"pairs": 2, "wrong": 1, "empty_hypotheses": 1, "cut_hypotheses": 1, "greedy_differs": 1},
    }


def test_every_prediction_is_a_line_with_the_columns_of_the_corpus(tmp_path: Path) -> None:
    write_evaluation(tmp_path, make_evaluation(), 10, {})
    first, _ = map(json.loads, (tmp_path / "predictions.jsonl").read_text(encoding="utf-8").splitlines())
    scores = {"edits": 0, "score": -0.1235, "log_probability": -1.2346, "is_cut": False, "confidence": None}
    assert first == {"source": "so|urce", "reference": "ref", "hypothesis": "ref", "greedy": "ref", **scores, "language": "de"}


def test_columns_of_the_corpus_never_hide_ours(tmp_path: Path) -> None:
    write_evaluation(tmp_path, make_evaluation(make_example(1, "wrong", {"score": "high", "row": "7"})), 10, {})
    (line,) = map(json.loads, (tmp_path / "predictions.jsonl").read_text(encoding="utf-8").splitlines())
    assert (line["score"], line["corpus_score"], line["corpus_row"]) == (-0.1235, "high", "7")
    with (tmp_path / "worst.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["row"], row["corpus_row"], row["cer"], row["edits"]) == ("1", "7", "0.666667", "2")


def test_tables_hold_what_was_found(tmp_path: Path) -> None:
    write_evaluation(tmp_path, make_evaluation(), 10, {"bleu": "nrefs:1"})
    assert (tmp_path / "slices.csv").read_text(encoding="utf-8") == (
        "column,value,count,exact_match\nlanguage,de,2,0.666667\nlanguage,中,1,0.0\n"
    )
    assert (tmp_path / "worst.csv").read_text(encoding="utf-8") == (
        "row,source,reference,hypothesis,greedy,edits,cer,score,log_probability,is_cut,confidence,language\n"
        "2,so|urce,ref,,ref,2,0.666667,-0.1235,-1.2346,True,,中\n"
    )
    assert json.loads((tmp_path / "signatures.json").read_text()) == {"bleu": "nrefs:1"}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "predictions.jsonl", "scores.json", "signatures.json", "slices.csv", "worst.csv",
    ]  # fmt: skip
    assert json.loads((tmp_path / "scores.json").read_text(encoding="utf-8")) == make_scores(make_evaluation())


def test_the_rows_of_a_table_are_the_examples_whatever_their_texts_and_columns(tmp_path: Path) -> None:
    others = [{"note": "a lone\rCR"}, {"note": "two\nlines", "more": '"'}, {}, {"more": "=1+1"}]
    write_evaluation(
        tmp_path, make_evaluation(*(make_example(row, "x,\r", columns) for row, columns in enumerate(others, 1))), 10, {}
    )
    frame = pandas.read_csv(tmp_path / "worst.csv", dtype=str, keep_default_na=False)
    assert frame["hypothesis"].tolist() == ["x,\r"] * 4
    assert frame["note"].tolist() == ["a lone\rCR", "two\nlines", "", ""]
    assert frame["more"].tolist() == ["", '"', "", "=1+1"]


def test_nothing_in_the_files_tells_how_long_it_took(tmp_path: Path) -> None:
    contents = []
    for number, speed in enumerate((1.0, 99.0)):
        folder = tmp_path / str(number)
        folder.mkdir()
        evaluation = make_evaluation(sentences_per_second=speed)
        write_evaluation(folder, evaluation, 10, {})
        contents.append([json.dumps(make_metrics(evaluation, SCORED)), *(path.read_bytes() for path in sorted(folder.iterdir()))])
    assert contents[0] == contents[1]


def test_markdown_tables_survive_any_text() -> None:
    assert worst_as_markdown(make_evaluation(make_example(1, "a|b\n<i>\\" + "x" * 200, {})), 5).splitlines()[2] == (
        "| 1 | so\\|urce | ref | a\\|b &lt;i>\\\\" + "x" * 111 + "… | 2 | -0.1235 |"
    )
    assert worst_as_markdown(make_evaluation(make_example(1, "ref", {})), 5) == "No hypothesis differs from its reference.\n"
    assert scores_as_markdown(make_evaluation()).splitlines()[0] == "|  | exact_match | ter |"
    assert "| baseline: copy source | 0.2500 |  |" in scores_as_markdown(make_evaluation())
    assert "| language | 中 | 1 | 0.0000 |" in slices_as_markdown(make_evaluation())
