from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.corpus.samples.sample_dates import write_sample_corpus
from seq2seq_core.errors import ContractViolation, CorpusError
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.validate import run_validate

OFF = {"limit": 0, "severity": "off"}
WHERE_TO_LOOK = (
    "  report: .s2s/validation.json, Data Docs: .s2s/data_docs/index.html; bounds and severities: section validate of params.yaml"
)
CLEAN = b"source\ttarget\n" + b"".join(b"source %d\ttarget %d\n" % (i, i) for i in range(20))


class NotingRecorder(NullRecorder):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}
        self.files: list[Path] = []
        self.datasets: list[tuple[str, str, str]] = []

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.metrics.update(metrics)

    def log_file(self, path: Path, folder: str = "") -> None:
        assert path.exists()
        self.files.append(path)

    def log_dataset(self, path: Path, name: str, digest: str, context: str) -> None:
        assert path.is_dir()
        self.datasets.append((name, digest, context))


def _settings(files: dict[str, list[object]], **validate: object) -> Settings:
    values = {"corpus": {"path": "data/raw/c", "files": files}, "validate": validate, "register": {"model_name": "m"}}
    return parse_settings(values, "test")


def _write(root: Path, **files: bytes) -> Paths:
    folder = root / "data" / "raw" / "c"
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / f"{name}.tsv").write_bytes(data)
    return Paths(root)


def test_a_clean_corpus_passes_with_report_and_data_docs(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_sample_corpus(tmp_path / "data" / "raw" / "c")
    recorder = NotingRecorder()
    exact = {"limit": 0, "severity": "error"}
    settings = _settings(
        {"train": ["train.tsv"], "dev": ["dev.tsv"], "test": ["test.tsv"]},
        duplicate_pairs=exact, conflicting_targets=exact, control_characters=exact, mojibake=exact,
        test_leakage=exact, dev_leakage=exact, numbers_differ=OFF, repeated_ngrams=exact, unexpected_script=exact,
    )  # fmt: skip
    result = run_validate(settings, paths, recorder)
    assert result.rows == {"train": 7700, "dev": 525, "test": 1190}
    assert result.warnings == ()
    assert all(check.success for check in result.checks)
    assert (paths.data_docs / "index.html").is_file()
    assert recorder.metrics["train.rows"] == 7700
    assert recorder.metrics["test.test_leakage"] == 0
    assert [(name, context) for name, _, context in recorder.datasets] == [
        ("c/train", "training"), ("c/dev", "validation"), ("c/test", "testing"),
    ]  # fmt: skip
    assert recorder.files == [paths.work / "validation.json", paths.data_docs]
    report = json.loads(paths.validation_report.read_text(encoding="utf-8"))
    assert report["broken"] == {"error": 0, "warning": 0}
    assert report["splits"]["dev"] == {"files": ["dev.tsv"], "rows": 525}
    assert paths.validation_report.read_bytes() == (paths.work / "validation.json").read_bytes()


def test_the_report_is_the_same_at_every_run_and_in_every_folder(tmp_path: Path) -> None:
    reports = []
    for name in ("one", "two"):
        paths = _write(tmp_path / name, train=CLEAN + "a\x9d\tb\n".encode())
        result = run_validate(_settings({"train": ["train.tsv"]}), paths, NullRecorder())
        assert len(result.warnings) == 1
        reports.append(paths.validation_report.read_bytes())
    assert reports[0] == reports[1]
    assert str(tmp_path).encode() not in reports[0]
    assert reports[0].endswith(b"}\n")


def test_the_report_says_all_about_each_expectation(tmp_path: Path) -> None:
    paths = _write(tmp_path, train=CLEAN + b"\tx\n")
    run_validate(_settings({"train": ["train.tsv"]}, empty={"limit": 0.1, "severity": "error"}), paths, NullRecorder())
    report = json.loads(paths.validation_report.read_text(encoding="utf-8"))
    assert report["results"][0] == {
        "expectation": "readable",
        "split": "files",
        "severity": "error",
        "statement": "files that cannot be read as pairs in UTF-8: none",
        "limit": 0.0,
        "success": True,
        "checked": 1,
        "unexpected": 0,
        "unexpected_fraction": 0.0,
        "examples": [],
    }
    (empty,) = (result for result in report["results"] if result["expectation"] == "empty")
    assert empty == {
        "expectation": "empty",
        "split": "train",
        "severity": "error",
        "statement": "rows with an empty source or target: at most 10 %",
        "limit": 0.1,
        "success": True,
        "checked": 21,
        "unexpected": 1,
        "unexpected_fraction": 1 / 21,
        "examples": ['train.tsv:22: empty source, target "x"'],
    }


def test_a_violation_names_expectation_count_and_first_lines(tmp_path: Path) -> None:
    paths = _write(tmp_path, train=CLEAN + b"\tx\n" * 7, dev=CLEAN.replace(b"source 3\t", b"source 99\t"))
    recorder = NotingRecorder()
    settings = _settings(
        {"train": ["train.tsv"], "dev": ["dev.tsv"]},
        min_rows={"limit": 30}, duplicate_pairs=OFF, examples=2, dev_leakage={"limit": 0.5, "severity": "error"},
    )  # fmt: skip
    with pytest.raises(ContractViolation) as caught:
        run_validate(settings, paths, recorder)
    assert str(caught.value) == "\n".join(
        [
            "the corpus data/raw/c breaks 3 data contracts of severity error",
            "  train, min_rows: rows: at least 30; got 27",
            "  train, empty: rows with an empty source or target: none; got 7 of 27 rows (25.9 %)",
            '    train.tsv:22: empty source, target "x"',
            '    train.tsv:23: empty source, target "x"',
            "    … and 5 more",
            "  dev, dev_leakage: rows whose source also stands in train: at most 50 %; got 19 of 20 rows (95 %)",
            '    dev.tsv:2: also train.tsv:2: "source 0"',
            '    dev.tsv:3: also train.tsv:3: "source 1"',
            "    … and 17 more",
            WHERE_TO_LOOK,
        ]
    )
    assert not paths.validation_report.exists()
    assert (paths.data_docs / "index.html").is_file()
    report = json.loads((paths.work / "validation.json").read_text(encoding="utf-8"))
    assert report["broken"] == {"error": 3, "warning": 0}
    assert recorder.metrics["train.empty"] == 7


def test_a_broken_warning_is_logged_and_does_not_stop(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = _write(tmp_path, train=CLEAN + b"a\x07\tb\n")
    with caplog.at_level("WARNING", logger="seq2seq_core"):
        result = run_validate(_settings({"train": ["train.tsv"]}), paths, NullRecorder())
    expected = (
        "train, control_characters: rows with control characters or U+FFFD: none; got 1 of 21 rows (4.76 %)\n"
        '    train.tsv:22: U+0007 in the source: "a\\x07"'
    )
    assert result.warnings == (expected,)
    assert [record.getMessage() for record in caplog.records] == [expected]


def test_every_file_that_cannot_be_read_is_named_at_once(tmp_path: Path) -> None:
    paths = _write(tmp_path, train=b"\xef\xbb\xbfsource\ttarget\ra\tb\r", dev=b"source\ttarget\na\n\xff\tb\nc\td\ne\n", test=b"")
    settings = _settings({"train": ["train.tsv"], "dev": ["dev.tsv"], "test": ["test.tsv"]}, examples=3)
    with pytest.raises(ContractViolation) as caught:
        run_validate(settings, paths, NullRecorder())
    assert str(caught.value) == "\n".join(
        [
            "the corpus data/raw/c breaks 1 data contract of severity error",
            "  files, readable: files that cannot be read as pairs in UTF-8: none; got 3 of 3 files",
            "    data/raw/c/train.tsv:1: lines end in a bare carriage return (CR, 0D): 2 of them in the first 21 bytes, against "
            "0 line feeds (LF, 0A), so that the file looks like one line to most readers; expected LF or CRLF: "
            "`tr '\\r' '\\n' < data/raw/c/train.tsv > converted` converts it",
            "    data/raw/c/dev.tsv:2: expected 2 columns (source, target), got 1: 'a'",
            "    data/raw/c/dev.tsv:3: not UTF-8: byte 0xFF at offset 16 (invalid start byte), in '\\\\xff\\tb'; expected UTF-8: "
            "it is likely CP1251, which reads 'я\\tb' here: `iconv -f CP1251 -t UTF-8 data/raw/c/dev.tsv > converted` converts it",
            "    data/raw/c/dev.tsv:5: expected 2 columns (source, target), got 1: 'e'",
            "    data/raw/c/dev.tsv: 3 lines cannot be read: 2, 3, 5",
            "    data/raw/c/test.tsv: the file is empty; expected at least one row",
            WHERE_TO_LOOK,
        ]
    )
    report = json.loads((paths.work / "validation.json").read_text(encoding="utf-8"))
    assert report["splits"]["train"] == {"files": ["train.tsv"], "rows": None}
    assert [result["expectation"] for result in report["results"]] == ["readable"]


def test_what_can_be_read_is_checked_beside_a_file_that_cannot(tmp_path: Path) -> None:
    paths = _write(tmp_path, train=b"", dev=CLEAN)
    with pytest.raises(ContractViolation):
        run_validate(_settings({"train": ["train.tsv"], "dev": ["dev.tsv"]}), paths, NullRecorder())
    report = json.loads((paths.work / "validation.json").read_text(encoding="utf-8"))
    checked = [result["expectation"] for result in report["results"] if result["split"] == "dev"]
    assert "empty" in checked
    assert "dev_leakage" not in checked


def test_a_file_with_a_header_and_no_rows_breaks_the_row_count(tmp_path: Path) -> None:
    paths = _write(tmp_path, train=b"source\ttarget\n")
    with pytest.raises(ContractViolation, match="train, min_rows: rows: at least 1; got 0"):
        run_validate(_settings({"train": ["train.tsv"]}), paths, NullRecorder())


def test_a_missing_corpus_stops_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"^data/raw/c: no such folder"):
        run_validate(_settings({"train": ["train.tsv"]}), Paths(tmp_path), NullRecorder())
    assert list(tmp_path.iterdir()) == []


def test_planted_faults_are_counted_exactly(tmp_path: Path) -> None:
    seed = random.randrange(10**9)
    generator = random.Random(seed)
    rows = [(f"source {number}", f"target {number}") for number in range(300)]
    planted = {name: generator.randrange(1, 30) for name in ("empty", "control_characters", "mojibake", "duplicate_pairs")}
    rows += [("", f"x {number}") for number in range(planted["empty"])]
    rows += [(f"bell \x07 {number}", "x") for number in range(planted["control_characters"])]
    rows += [(f"DÃ©by {number}", "x") for number in range(planted["mojibake"])]
    rows += rows[: planted["duplicate_pairs"]]
    generator.shuffle(rows)
    data = "source\ttarget\n" + "".join(f"{source}\t{target}\n" for source, target in rows)
    paths = _write(tmp_path, train=data.encode())
    recorder = NotingRecorder()
    settings = _settings({"train": ["train.tsv"]}, empty={"limit": 1.0})
    run_validate(settings, paths, recorder)
    assert {name: recorder.metrics[f"train.{name}"] for name in planted} == planted, f"seed {seed}"


def test_what_validate_calls_empty_is_what_prepare_drops(tmp_path: Path) -> None:
    odd = ["\t ", "\u200b \ufeff\tx", "y\t\xad", "\u2060z\tw"]
    paths = _write(tmp_path, train=CLEAN + "".join(f"{row}\n" for row in odd).encode())
    settings = _settings({"train": ["train.tsv"]}, empty={"limit": 1.0})
    result = run_validate(settings, paths, NullRecorder())
    (empty,) = (check for check in result.checks if check.contract.name == "empty")
    assert empty.examples == (
        "train.tsv:22: empty source and target",
        'train.tsv:23: empty source, target "x"',
        'train.tsv:24: empty target, source "y"',
    )
    assert run_prepare(settings, paths, NullRecorder()).funnels["train"].dropped["min_characters"] == empty.unexpected == 3


def test_monolingual_sentences_have_the_contracts_that_a_text_can_break_by_itself(tmp_path: Path) -> None:
    paths = _write(tmp_path, train=CLEAN, test=b"source\ttarget\na b\tc d\n")
    long = "a text of thirty characters ... "
    lines = ["one", "", "one", "a  b", "c d", long, "bell \a", "cafÃ©", "two"]
    (tmp_path / "data" / "raw" / "c" / "en.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    values = {
        "corpus": {
            "path": "data/raw/c",
            "files": {"train": ["train.tsv"], "test": ["test.tsv"]},
            "monolingual": [{"file": "en.txt", "language": "en"}],
        },
        "validate": {"max_characters": {"limit": 20, "severity": "warning"}, "empty": {"limit": 0, "severity": "warning"}},
        "tokenize": {"joint": True, "source_tags": ["target_language"]},
        "register": {"model_name": "m"},
    }
    recorder = NotingRecorder()
    result = run_validate(parse_settings(values, "test"), paths, recorder)
    assert result.rows["monolingual.en"] == len(lines)
    own = {check.contract.name: check for check in result.checks if check.contract.split == "monolingual.en"}
    assert {name: check.examples for name, check in own.items() if not check.success} == {
        "empty": ("en.txt:2: empty",),
        "max_characters": (f'en.txt:6: text of 32 characters: "{long}"',),
        "duplicate_pairs": ('en.txt:3: repeats en.txt:1: "one"',),
        "control_characters": (r'en.txt:7: U+0007 in the text: "bell \x07"',),
        "mojibake": ('en.txt:8: in the text: "cafÃ©"',),
        "monolingual_leakage": ('en.txt:4: also test.tsv:2: "a  b"', 'en.txt:5: also test.tsv:2: "c d"'),
    }
    assert own["min_monolingual_rows"].success
    assert recorder.metrics["monolingual.en.monolingual_leakage"] == 2
    assert [name for name, _, _ in recorder.datasets] == ["c/train", "c/test", "c/monolingual.en"]
