"""``s2s predict`` and ``s2s score`` in this process, on a tiny bundle of random weights."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.served_bundle import export_bundle
from seq2seq_core.cli.main import app
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.hypothesis_texts import HypothesisTexts
from seq2seq_core.decoding.phrases.phrase_matcher import phrases_in
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.registry.receipts import Receipt, write_receipt
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.tokenization.tags import TagColumns

SOURCES = ["3 May 2031", "", "le 7 mars", "12 April 2001"]
PREFIXES = ["20", "le", "", "1"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, make_bundle: Callable[..., None]) -> Path:
    paths = Paths(tmp_path_factory.mktemp("commands"))
    make_bundle(paths)
    return paths.bundle


@pytest.fixture
def predictor(bundle: Path) -> Predictor:
    return Predictor.from_folder(bundle)


@pytest.fixture
def run(bundle: Path) -> Iterator[Callable[..., Result]]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def invoke(command: str, *arguments: object, stdin: bytes | None = None) -> Result:
        words = [command, "--model", str(bundle), "--device", "cpu", *(str(one) for one in arguments)]
        return CliRunner().invoke(app, words, input=stdin)

    yield invoke
    for number, handler in before.items():
        signal.signal(number, handler)


def write_lines(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ([], {}),
        (["--beam-size", 1, "--max-length", 9], {"beam_size": 1, "max_length": 9}),
        (["--min-length", 30, "--no-repeat-ngram-size", 2], {"min_length": 30, "no_repeat_ngram_size": 2}),
        (["--sample", "--seed", 5, "--nbest", 7], {"method": "sampling", "seed": 5, "num_hypotheses": 7}),
        (
            ["--sample", "--temperature", 0.7, "--top-k", 9, "--top-p", 0.8, "--length-penalty", 0],
            {"method": "sampling", "temperature": 0.7, "top_k": 9, "top_p": 0.8, "length_penalty": 0.0},
        ),
        (["--mbr", 6, "--nbest", 2], {"method": "sampling", "selection": "mbr", "mbr_samples": 6, "num_hypotheses": 2}),
    ],
)
def test_predict_prints_what_the_predictor_predicts_with_these_options(
    run: Callable[..., Result], predictor: Predictor, tmp_path: Path, words: list[object], options: dict[str, Any]
) -> None:
    done = run("predict", write_lines(tmp_path / "sources.txt", SOURCES), "--scores", *words)
    assert done.exit_code == 0, done.output
    predictions = predictor.predict(SOURCES, DecodingOptions.model_validate(options))
    assert done.stdout == "".join(f"{one.score:.4f}\t{one.text}\n" for found in predictions for one in found.hypotheses)


def test_predict_warns_once_of_hypotheses_that_were_cut(run: Callable[..., Result]) -> None:
    lines = ["", *["3 May 2031"] * 40]
    words = ("--min-length", 2, "--max-length", 2, "--batch-sentences", 1)
    done = run("predict", *words, stdin="\n".join(lines).encode())
    told = "40 of 41 hypotheses were cut at their length limit, the first of line 2; a larger --max-length (now 2) gives more room"
    assert told in done.stderr
    assert done.stderr.count("were cut") == 1
    done = run("predict", "--max-length-ratio", 0.5, "--max-length-offset", 1, "--min-length", 6, stdin=b"3 May 2031\n")
    assert "1 of 1 hypotheses were cut at their length limit, the first of line 1" in done.stderr
    assert "a larger --max-length-ratio (now 0.5) gives more room" in done.stderr
    assert "were cut" not in run("predict", stdin=b"\n").stderr


def test_predict_writes_an_object_a_hypothesis(run: Callable[..., Result], predictor: Predictor) -> None:
    done = run("predict", "--json", "--nbest", 2, "--max-length", 3, stdin=b"3 May 2031\n\n")
    found = predictor.predict(["3 May 2031", ""], DecodingOptions(num_hypotheses=2, max_length=3))
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"line": line, "prediction": one.text, "score": one.score, "is_cut": one.is_cut, "source_is_cut": False}
        for line, two in enumerate(found, start=1)
        for one in two.hypotheses
    ]
    done = run("predict", "--json", "--scores", stdin=b"a\n")
    assert (done.exit_code, done.stderr) == (2, "error: --scores: must be left out with --json, whose objects hold the score\n")


def test_predict_reads_a_prefix_a_line(run: Callable[..., Result], predictor: Predictor, tmp_path: Path) -> None:
    prefixes = write_lines(tmp_path / "prefixes.txt", PREFIXES)
    done = run("predict", "--prefix", prefixes, "--max-length", 6, stdin="\n".join(SOURCES).encode())
    predictions = predictor.predict(SOURCES, DecodingOptions(max_length=6), prefixes=PREFIXES)
    assert done.stdout.split("\n")[:-1] == [prediction.text for prediction in predictions]
    assert all(line.startswith(prefix) for line, prefix in zip(done.stdout.split("\n"), PREFIXES, strict=False))


def test_predict_writes_an_alignment_a_hypothesis(run: Callable[..., Result], predictor: Predictor, tmp_path: Path) -> None:
    place = tmp_path / "attention.jsonl"
    done = run(
        "predict", write_lines(tmp_path / "sources.txt", SOURCES), "--attention", place, "--nbest", 2, "--max-length", 5
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    found = [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()]
    predictions = predictor.predict(SOURCES, DecodingOptions(num_hypotheses=2, max_length=5), keep_alignments=True)
    hypotheses = [hypothesis for prediction in predictions for hypothesis in prediction.hypotheses]
    assert len(found) == len(hypotheses) == 7
    for one, hypothesis in zip(found, hypotheses, strict=True):
        if hypothesis.alignment is None:
            assert one == {"source": [], "target": [], "weights": []}
            continue
        assert one["source"] == hypothesis.alignment.source_pieces
        assert one["target"] == hypothesis.alignment.target_pieces
        assert [len(row) for row in one["weights"]] == [len(one["source"])] * len(one["target"])
        for row, weights in zip(one["weights"], hypothesis.alignment.weights_TS.tolist(), strict=True):
            assert row == pytest.approx(weights, abs=1e-4)


def test_predict_says_that_a_model_has_no_attention_to_write(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HypothesisTexts, "_align", lambda *_: None)
    place = tmp_path / "attention.jsonl"
    done = run("predict", "--attention", place, stdin=b"a\n")
    assert done.exit_code == 2
    assert done.stderr == (
        "error: --attention: the model has no attention to write; expected one that has, or no --attention\n"
    )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nbest", 6], "--nbest: must be at most the beam size (--beam-size), got 6 > 5"),
        (["--nbest", 6, "--mbr", 5], "--nbest: must be at most --mbr, got 6 > 5"),
        (["--mbr", 1], "--mbr: must be at least 2, got 1"),
        (["--mbr", 1001], "--mbr: must be at most 1000, got 1001"),
        (["--temperature", 0.5], "--temperature: needs --sample or --mbr, got 0.5 without"),
        (["--top-k", 5], "--top-k: needs --sample or --mbr, got 5 without"),
        (["--top-p", 0.5], "--top-p: needs --sample or --mbr, got 0.5 without"),
        (["--sample", "--temperature", 0], "--temperature: must be above 0.0, got 0.0"),
        (["--sample", "--temperature", "nan"], "--temperature: must be a finite number, got nan"),
        (["--sample", "--top-k", -1], "--top-k: must be at least 0, got -1"),
        (["--sample", "--top-p", 1.5], "--top-p: must be at most 1.0, got 1.5"),
        (["--sample", "--seed", -1], "--seed: must be at least 0, got -1"),
        (["--length-penalty", "inf"], "--length-penalty: must be a finite number, got inf"),
        (["--min-length", 5, "--max-length", 4], "--min-length: must be at most --max-length, got 5 > 4"),
    ],
)
def test_predict_refuses_options_that_cannot_be(run: Callable[..., Result], words: list[object], message: str) -> None:
    done = run("predict", *words, stdin=b"a\n")
    assert (done.exit_code, done.stderr, done.stdout) == (2, f"error: {message}\n", "")


def test_predict_refuses_a_prefix_file_of_another_length(run: Callable[..., Result], tmp_path: Path) -> None:
    prefixes = write_lines(tmp_path / "prefixes.txt", ["a"])
    done = run("predict", "--prefix", prefixes, "--output", tmp_path / "out.txt", stdin=b"a\nb\n")
    assert done.exit_code == 2
    assert done.stderr == f"error: {prefixes}: ends after line 1, but standard input goes on; expected as many lines in both\n"
    assert list(tmp_path.iterdir()) == [prefixes]
    done = run("predict", "--prefix", tmp_path / "no.txt", stdin=b"a\n")
    assert done.stderr == f"error: {tmp_path / 'no.txt'}: no such file; expected a text file with one prefix a line\n"


def test_score_prints_log_probability_and_tokens_of_two_files_or_one(
    run: Callable[..., Result], predictor: Predictor, tmp_path: Path
) -> None:
    targets = ["2031-05-03", "", "7", ""]
    expected = [f"{one.log_probability:.6f}\t{one.num_tokens}" for one in predictor.score(SOURCES, targets)]
    sources_file, targets_file = write_lines(tmp_path / "s.txt", SOURCES), write_lines(tmp_path / "t.txt", targets)
    pairs = write_lines(tmp_path / "pairs.tsv", [f"{source}\t{target}" for source, target in zip(SOURCES, targets, strict=True)])
    assert run("score", sources_file, targets_file).stdout.splitlines() == expected
    assert run("score", pairs).stdout.splitlines() == expected
    assert run("score", stdin=pairs.read_bytes()).stdout.splitlines() == expected
    assert run("score", pairs, "--output", tmp_path / "out.tsv").stdout == ""
    assert (tmp_path / "out.tsv").read_text().splitlines() == expected
    assert expected[1] == "0.000000\t1"


def test_score_prints_the_log_probability_that_predict_found(run: Callable[..., Result], predictor: Predictor) -> None:
    (prediction,) = predictor.predict(["3 May"], DecodingOptions(max_length=6))
    (line,) = run("score", stdin=f"3 May\t{prediction.text}\n".encode()).stdout.splitlines()
    assert float(line.split("\t")[0]) == pytest.approx(prediction.hypotheses[0].log_probability, abs=1e-4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\tb\nc\n", "pairs.tsv:2: 1 column; expected a source, a TAB and a target"),
        (b"a\tb\tc\n", "pairs.tsv:1: 3 columns; expected a source, a TAB and a target"),
        (
            b"a\tb\n\xe4\tb\n",
            "pairs.tsv:2: not UTF-8: byte 0xE4 at offset 4 (invalid continuation byte), in '\\\\xe4\\tb'; expected UTF-8: "
            "it is likely CP1252, which reads 'ä\\tb' here: `iconv -f CP1252 -t UTF-8 {place} > converted` converts it",
        ),
    ],
)
def test_score_names_a_line_that_is_no_pair(run: Callable[..., Result], tmp_path: Path, content: bytes, message: str) -> None:
    pairs = tmp_path / "pairs.tsv"
    pairs.write_bytes(content)
    done = run("score", pairs, "--output", tmp_path / "out.tsv")
    assert (done.exit_code, done.stderr) == (2, f"error: {tmp_path}/{message.replace('{place}', str(pairs))}\n")
    assert list(tmp_path.iterdir()) == [pairs]


def test_score_names_a_missing_file_and_one_that_ends_too_early(run: Callable[..., Result], tmp_path: Path) -> None:
    sources, targets = write_lines(tmp_path / "s.txt", ["a", "b"]), write_lines(tmp_path / "t.txt", ["a"])
    done = run("score", sources, targets)
    assert done.exit_code == 2
    assert done.stderr == f"error: {targets}: ends after line 1, but {sources} goes on; expected as many lines in both\n"
    missing = tmp_path / "no.txt"
    assert run("score", sources, missing).stderr == f"error: {missing}: no such file; expected a text file with one target a line\n"
    expected = f"error: {missing}: no such file; expected a text file with a source, a TAB and a target a line\n"
    assert run("score", missing).stderr == expected


@pytest.fixture(scope="module")
def tagged_bundle(tmp_path_factory: pytest.TempPathFactory, make_bundle: Callable[..., None]) -> Path:
    paths = Paths(tmp_path_factory.mktemp("tagged"))
    make_bundle(paths, tags=TagColumns(source=("language",), target=("style",)))
    return paths.bundle


def test_predict_and_score_give_all_lines_a_tag_or_each_line_its_own(
    run: Callable[..., Result], tagged_bundle: Path, tmp_path: Path
) -> None:
    sources, predictor = ["3 May 2031", "le 7 mars"], Predictor.from_folder(tagged_bundle)
    lines = write_lines(tmp_path / "sources.txt", sources)
    tags = [{"language": "de", "style": "en"}, {"language": "en", "style": "en"}]
    own = write_lines(tmp_path / "tags.jsonl", [json.dumps(row | {"target": "x", "number": 3}) for row in tags])
    expected = [found.text for found in predictor.predict(sources, DecodingOptions(max_length=6), tags=tags)]
    words = ("--model", tagged_bundle, "--max-length", 6)
    assert run("predict", lines, *words, "--tags", own).stdout.splitlines() == expected
    common = run("predict", lines, *words, "--tag", "language=de", "--tag", "style=en").stdout.splitlines()
    assert common[0] == expected[0]
    assert common != expected
    overridden = run("predict", lines, *words, "--tag", "language=de", "--tags", own)
    assert overridden.stdout.splitlines() == expected
    pairs = write_lines(tmp_path / "pairs.tsv", [f"{source}\tx" for source in sources])
    scores = [f"{one.log_probability:.6f}\t{one.num_tokens}" for one in predictor.score(sources, ["x", "x"], tags=tags)]
    assert run("score", pairs, "--model", tagged_bundle, "--tags", own).stdout.splitlines() == scores
    targets = write_lines(tmp_path / "targets.txt", ["x", "x"])
    assert run("score", lines, targets, "--model", tagged_bundle, "--tags", own).stdout.splitlines() == scores


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tag", "language"], "--tag: must be NAME=VALUE, got 'language'"),
        (["--tag", "lang=de"], "--tag: must name a tag that the model takes ('language', 'style'), got 'lang'"),
        (["--tag", "a=b", "--tag", "a=c"], "--tag: must be given once for each column, got 'a' twice"),
        (
            ["--tag", "language=fr", "--tag", "style=de"],
            "standard input:1: tag 'language': must be one of 'de', 'en'; got 'fr' "
            "(--tag NAME=VALUE for all lines, --tags FILE line by line)",
        ),
        (
            ["--tags", "TAGS", "--tag", "style=de", "--batch-sentences", 1],
            "standard input:33: tag 'language': must be given, one of 'de', 'en'; got nothing "
            "(--tag NAME=VALUE for all lines, --tags FILE line by line)",
        ),
    ],
)
def test_a_faulty_tag_names_the_line_and_what_was_expected(
    run: Callable[..., Result], tagged_bundle: Path, tmp_path: Path, words: list[object], message: str
) -> None:
    own = write_lines(tmp_path / "tags.jsonl", ['{"language": "de"}'] * 32 + ["{}"])
    words = [own if word == "TAGS" else word for word in words]
    done = run("predict", "--model", tagged_bundle, "--max-length", 2, "--beam-size", 1, *words, stdin=b"a\n" * 33)
    assert (done.exit_code, done.stderr) == (2, f"error: {message}\n")


@pytest.mark.parametrize(("line", "message"), [("{", "not valid JSON (Expecting"), ("[1]", "not a JSON object, but '[1]'")])
def test_a_line_that_is_no_object_of_tags_is_named(
    run: Callable[..., Result], tagged_bundle: Path, tmp_path: Path, line: str, message: str
) -> None:
    own = write_lines(tmp_path / "tags.jsonl", ["{}", line])
    done = run("predict", "--model", tagged_bundle, "--tags", own, stdin=b"\n\n")
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: {own}:2: {message}")


def test_a_command_whose_output_nobody_reads_ends_at_once_and_says_nothing(bundle: Path, tmp_path: Path) -> None:
    sources = write_lines(tmp_path / "sources.txt", ["3 May 2031"] * 5000)
    predict = ["predict", str(sources), "--model", str(bundle), "--device", "cpu", "--max-length", "3", "--beam-size", "1"]
    for words in (["--help"], predict):
        command = [sys.executable, "-m", "seq2seq_core.cli.main", *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, told = process.communicate()
        assert (process.returncode, told) == (141, b"")


def test_a_line_end_in_a_prediction_is_a_space_but_in_json(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SubwordModel, "decode", lambda _, ids: ["a\r\nb\rc\nd"] * len(ids))
    (line,) = run("predict", "--scores", "--max-length", 1, stdin=b"3\n").stdout.splitlines()
    assert line.split("\t")[1] == "a b c d"
    (row,) = run("predict", "--json", "--max-length", 1, stdin=b"3\n").stdout.splitlines()
    assert json.loads(row)["prediction"] == "a\r\nb\rc\nd"


def test_predict_forces_and_forbids_phrases(run: Callable[..., Result], tmp_path: Path) -> None:
    terms = tmp_path / "terms.tsv"
    terms.write_text("\ufeffMay\t20 4\r\n\nApril\t7\n", encoding="utf-8")
    words = ("--glossary", terms, "--force", "03", "--forbid", "1", "--forbid", "2", "--nbest", 2)
    done = run("predict", *words, stdin="\n".join(SOURCES).encode())
    assert done.exit_code == 0, done.output
    found = [phrases_in(line, ["03", "20 4", "7", "1", "2"]) for line in done.stdout.split("\n")[:-1]]
    assert found == [["03", "20 4"]] * 2 + [[]] + [["03"]] * 2 + [["03", "7"]] * 2
    plain = run("predict", stdin=b"le 7 mars\n3 May\n").stdout.splitlines()
    assert run("predict", "--glossary", terms, stdin=b"le 7 mars\n3 May\n").stdout.splitlines()[0] == plain[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--force", ""], "force: must be texts that are not empty, got ''"),
        (["--force", "Ж"], "force or glossary: the model's tokeniser cannot spell 'Ж': it lacks 'Ж'"),
        (["--force", "3", "--forbid", "3"], "force or glossary: '3' is forced and forbidden at once (forbid has '3')"),
        (
            ["--force", "2031", "--max-length", 3],
            "force: '2031' does not fit: the phrases of a target take 4 tokens, --max-length is 3",
        ),
        (["--force", "3", "--sample"], "force: '3' needs beam search, got method sampling"),
        (["--glossary", "TERMS"], "TERMS: line 2: must be a term, a TAB and its target, got 'April'"),
        (["--glossary", "absent"], "absent: no such file; expected a text file with a term, a TAB and its target a line"),
    ],
)
def test_phrases_that_cannot_be_end_the_command_before_anything_is_written(
    run: Callable[..., Result], tmp_path: Path, words: list[object], message: str
) -> None:
    terms, output = tmp_path / "terms.tsv", tmp_path / "out.txt"
    terms.write_text("May\t5\nApril\n", encoding="utf-8")
    done = run("predict", *(terms if word == "TERMS" else word for word in words), "--output", output, stdin=b"3 May\n")
    assert (done.exit_code, done.stderr) == (2, f"error: {message.replace('TERMS', str(terms))}\n")
    assert not output.exists()


def test_a_line_whose_phrases_do_not_fit_is_named_and_those_before_it_are_written(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    terms = write_lines(tmp_path / "terms.tsv", ["May\t20", "April\t37"])
    lines = ["3 May", "", "4 April", "7 April May", "5 May"]
    sources = write_lines(tmp_path / "sources.txt", lines)
    words = ("--glossary", terms, "--max-length", 4, "--batch-sentences", 2)
    expected = run("predict", *words, stdin="\n".join(lines[:3]).encode())
    done = run("predict", sources, *words)
    assert (expected.exit_code, done.exit_code, done.stdout) == (0, 2, expected.stdout)
    assert len(done.stdout.split("\n")) == 4
    assert re.search(rf"error: {sources}:4: .* does not fit: .* \(--glossary: '37', '20'\)\n$", done.stderr)
    forced = run("predict", *words, "--force", "33", stdin=b"le 7\n\n3 May\n")
    assert (forced.exit_code, len(forced.stdout.split("\n"))) == (2, 3)
    assert "error: standard input:3: " in forced.stderr
    assert "(--force: '33'; --glossary: '20')" in forced.stderr


def test_lines_before_one_with_a_faulty_tag_are_written(run: Callable[..., Result], tagged_bundle: Path, tmp_path: Path) -> None:
    own = write_lines(tmp_path / "tags.jsonl", ['{"language": "de"}'] * 2 + ["{}"])
    words = ("--model", tagged_bundle, "--tags", own, "--tag", "style=de")
    done = run("predict", *words, "--max-length", 2, stdin=b"a\nb\nc\n")
    assert (done.exit_code, len(done.stdout.split("\n"))) == (2, 3)
    scored = run("score", *words, stdin=b"a\tb\nb\tc\nc\td\n")
    assert (scored.exit_code, len(scored.stdout.split("\n"))) == (2, 3)
    assert "error: standard input:3: tag 'language'" in scored.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--diversity-groups", 3, "--beam-size", 5], "--beam-size must be a multiple of --diversity-groups 3, got 5"),
        (["--diversity-groups", 3, "--beam-size", 3, "--force", "3"], "force: '3' needs --diversity-groups 1, got 3"),
        (["--sample", "--diversity-groups", 2], "--diversity-groups must be 1 where method is sampling, got 2"),
    ],
)
def test_messages_name_flags(run: Callable[..., Result], words: list[object], message: str) -> None:
    done = run("predict", *words, stdin=b"3 May\n")
    assert (done.exit_code, done.stderr) == (2, f"error: {message}\n")


def test_files_that_are_no_lines_need_into(run: Callable[..., Result], tmp_path: Path) -> None:
    needs, otherwise = "needs --into FOLDER, which writes shards of rows; without it expected a text file", tmp_path / "a.parquet"
    otherwise.write_bytes(b"PAR1\0")
    assert run("predict", otherwise).stderr == f"error: {otherwise}: a file .parquet {needs}\n"
    assert run("predict", tmp_path).stderr == f"error: {tmp_path}: a folder {needs}\n"


def test_a_challenger_in_models_served_is_told_by_its_receipt(run: Callable[..., Result], bundle: Path, tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    export_bundle(bundle, paths.served, DecodingOptions(max_length=3))
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    receipt = Receipt(
        registry="sqlite:///mlflow.db", model_name="dates", version="2", bundle_digest=bundle_digest(paths.served),
        decision="challenger", reason="exact_match 0.9 against 1", metric="exact_match", score=0.9, champion_version="1",
        champion_score=1.0, test_digest="cd", policy_digest="ef",
    )  # fmt: skip
    told = (
        "models/served is version 2 of dates, which did not replace the champion, version 1 (exact_match 0.9 against 1); "
        "--model models:/dates@champion uses that one"
    )
    for case, is_told in (
        (receipt, True),
        (replace(receipt, decision="champion"), False),
        (replace(receipt, bundle_digest="0" * 64), False),
        (replace(receipt, champion_version=None, champion_score=None), False),
    ):
        write_receipt(case, paths)
        for command, stdin in (("predict", b"3 May\n"), ("score", b"3 May\t2\n")):
            done = CliRunner().invoke(app, [command, "-C", str(tmp_path), "--device", "cpu"], input=stdin)
            assert done.exit_code == 0, done.output
            assert (told in " ".join(done.stderr.split())) is is_told
            assert told not in done.stdout
    write_receipt(receipt, paths)
    assert told not in run("predict", stdin=b"3 May\n").stderr
