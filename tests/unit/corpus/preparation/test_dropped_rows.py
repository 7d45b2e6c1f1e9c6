"""Samples of the rows that ``prepare`` drops or changes, what ``s2s dropped`` shows of them, and the most that may be dropped."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from seq2seq_core.artifacts import Paths
from seq2seq_core.cli.main import app
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.corpus.pairs import iterate_pairs
from seq2seq_core.corpus.preparation.row_samples import TEXT_CHARACTERS, read_samples
from seq2seq_core.errors import RowsLost
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.prepare import run_prepare

ROOT = Path(__file__).resolve().parents[4]
PLACES = {"deduplicate": "train.tsv:12", "leakage": "train.tsv:13", "max_characters": "train.tsv:14"}


def _settings(**prepare: object) -> Settings:
    columns = {"source_language": "en", "target_language": "de"}
    corpus = {
        "path": "raw",
        "header": False,
        "files": {split: [{"file": f"{split}.tsv", "columns": columns}] for split in ("train", "dev", "test")},
        "monolingual": [{"file": "mono.txt", "language": "en"}],
    }
    values = {
        "corpus": corpus,
        "prepare": {"max_characters": 1000, **prepare},
        "tokenize": {"joint": True, "source_tags": ["target_language"]},
        "register": {"model_name": "m"},
    }
    return parse_settings(values, "test")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    shutil.copyfile(ROOT / "dvc.yaml", tmp_path / "dvc.yaml")
    (tmp_path / "raw").mkdir()
    train = [f"source {number}\ttarget {number}" for number in range(11)]
    train += ["source 3\ttarget 3", "Test source!\tx", f"{'long' * 300}\ty", " ﬁne \tstays", *(f"{n}\t{n} " for n in range(45))]
    texts = {"train.tsv": train, "dev.tsv": ["dev \td"], "test.tsv": ["test source\tt"], "mono.txt": ["one", "one", "dev ", " two"]}
    for name, lines in texts.items():
        (tmp_path / "raw" / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return Paths(tmp_path.resolve())


def _s2s(paths: Paths, *arguments: str, command: str = "dropped") -> tuple[int, str]:
    result = CliRunner().invoke(app, [command, *arguments, "--workspace", str(paths.root)])
    return result.exit_code, result.output


def test_each_rule_keeps_its_rows_with_their_origin_as_they_were_read(paths: Paths) -> None:
    run_prepare(_settings(), paths, NullRecorder())
    samples = read_samples(paths.dropped_rows)
    assert {one.rule: one.place for one in samples if one.split == "train" and not one.changed_texts} == PLACES
    long = next(one for one in samples if one.rule == "max_characters")
    assert long.texts == {"source": ("long" * 300)[:TEXT_CHARACTERS] + "…", "target": "y"}
    assert [(one.rule, one.place, one.texts) for one in samples if one.split == "monolingual.en" and not one.changed_texts] == [
        ("deduplicate", "mono.txt:2", {"text": "one"}),
        ("leakage", "mono.txt:3", {"text": "dev "}),
    ]


def test_rows_that_the_normal_form_changed_are_counted_and_shown_before_and_after(paths: Paths) -> None:
    run_prepare(_settings(unicode_normalization="NFKC"), paths, NullRecorder())
    report = json.loads(paths.prepare_report.read_text(encoding="utf-8"))
    assert report["train"]["changed"] == {"unicode_normalization": 1, "whitespace": 46}
    assert report["dev"]["changed"] == {"unicode_normalization": 0, "whitespace": 1}
    assert report["monolingual.en"]["changed"] == {"unicode_normalization": 0, "whitespace": 1}
    changed = next(one for one in read_samples(paths.dropped_rows) if one.rule == "unicode_normalization")
    assert (changed.place, changed.texts["source"], changed.changed_texts["source"]) == ("train.tsv:15", " ﬁne ", "fine")
    written = {pair["source"] for pair in iterate_pairs(paths.prepared_split("train"))}
    assert changed.changed_texts["source"] in written


def test_rows_that_were_mended_are_counted_by_rule_and_shown_before_and_after(paths: Paths) -> None:
    broken = ["CafÃ© &quot;x\u200b&quot;\ty", "a &amp; b\tz", "CafÃ© 2\tw"]
    with (paths.root / "raw" / "train.tsv").open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in broken)
    (paths.root / "raw" / "mono.txt").write_text("CafÃ©\none\n", encoding="utf-8")
    rules = ["invisible_characters", "mojibake", "escaped_text"]
    run_prepare(_settings(mend=rules), paths, NullRecorder())
    report = json.loads(paths.prepare_report.read_text(encoding="utf-8"))
    assert list(report["train"]["changed"].items()) == [*zip(rules, (1, 2, 2), strict=True), ("whitespace", 46)]
    assert report["monolingual.en"]["changed"]["mojibake"] == 1
    written = [pair["source"] for pair in iterate_pairs(paths.prepared_split("train"))]
    assert written[-3:] == ['Café "x"', "a & b", "Café 2"]
    assert json.loads(paths.prepared_normal_form.read_text())["mend"] == rules
    code, text = _s2s(paths, "--rule", "mojibake", "--split", "train", command="changed")
    assert (code, text) == (
        0,
        "train, mojibake: changed 2 of 63 rows (3.17 %)\n"
        '  train.tsv:61  "CafÃ© &quot;x\\u200b&quot;" → "y", source now "Café "x""\n'
        '  train.tsv:63  "CafÃ© 2" → "w", source now "Café 2"\n',
    )
    assert "leakage" not in _s2s(paths, command="changed")[1]
    run_prepare(_settings(whitespace="keep"), paths, NullRecorder())
    nothing = "no text is changed: prepare.mend, unicode_normalization, whitespace and augment are off\n"
    assert _s2s(paths, command="changed") == (0, nothing)


def test_the_sample_is_even_and_depends_on_the_rows_alone(paths: Paths) -> None:
    run_prepare(_settings(examples=6), paths, NullRecorder())
    first = paths.dropped_rows.read_bytes()
    lines = [one.line for one in read_samples(paths.dropped_rows) if (one.split, one.rule) == ("train", "whitespace")]
    assert len(lines) == 6
    assert lines == sorted(lines)
    assert max(lines) - min(lines) > 15  # not the first or last ones
    run_prepare(_settings(examples=6), paths, NullRecorder())
    assert paths.dropped_rows.read_bytes() == first
    run_prepare(_settings(examples=3), paths, NullRecorder())
    fewer = [one.line for one in read_samples(paths.dropped_rows) if (one.split, one.rule) == ("train", "whitespace")]
    assert set(fewer) < set(lines)
    run_prepare(_settings(examples=0), paths, NullRecorder())
    assert paths.dropped_rows.read_bytes() == b""
    assert "deduplicate: dropped 1 of 60 rows (1.67 %)" in _s2s(paths)[1]


def test_the_command_shows_counts_and_rows_with_file_and_line(paths: Paths) -> None:
    run_prepare(_settings(), paths, NullRecorder())
    code, text = _s2s(paths, "--rule", "leakage")
    assert (code, text) == (
        0,
        'train, leakage: dropped 1 of 60 rows (1.67 %)\n  train.tsv:13  "Test source!" → "x"\n\n'
        'monolingual.en, leakage: dropped 1 of 4 rows (25 %)\n  mono.txt:3  "dev "\n',
    )
    code, text = _s2s(paths, "--rule", "whitespace", "--split", "train", "--limit", "1")
    assert text.startswith("train, whitespace: changed 46 of 60 rows (76.7 %); 1 of them\n  train.tsv:")
    assert " now " in text
    found: dict[str, Any] = json.loads(_s2s(paths, "--json", "--rule", "deduplicate")[1])
    assert [(rule["split"], rule["count"], rule["examples"][0]["line"]) for rule in found["rules"]] == [
        ("train", 1, 12),
        ("monolingual.en", 1, 2),
    ]


def test_what_is_not_there_is_a_fault_with_what_there_is(paths: Paths) -> None:
    code, text = _s2s(paths)
    assert code == 2
    assert "reports/prepare.json: no such file; `s2s prepare` (or `dvc repro prepare`) makes it" in text
    run_prepare(_settings(), paths, NullRecorder())
    code, text = _s2s(paths, "--rule", "leak")
    assert (code, text) == (
        2, "error: --rule: expected one of min_characters, max_characters, deduplicate, leakage, whitespace, got 'leak'\n",
    )  # fmt: skip
    code, text = _s2s(paths, "--split", "tset")
    assert (code, text) == (2, "error: --split: expected one of train, dev, test, monolingual.en, got 'tset'\n")
    code, text = _s2s(paths, "--rule", "max_characters", "--split", "dev")
    assert (code, text) == (2, "error: --split: max_characters is applied to train, monolingual.en only, got 'dev'\n")


def test_a_prepare_that_drops_too_much_stops_and_leaves_its_rows_to_look_at(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    run_prepare(_settings(max_dropped_fraction=0.5, warn_dropped_fraction=0.04), paths, NullRecorder())
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings[0] == "train: prepare drops 3 of 60 rows (5.0 %), most by prepare.max_characters (1); `s2s dropped` shows them"
    prepared = paths.prepared_split("train").read_bytes()
    with pytest.raises(RowsLost) as caught:
        run_prepare(_settings(max_dropped_fraction=0.04), paths, NullRecorder())
    message = str(caught.value)
    assert message.startswith("train: prepare drops 3 of 60 rows (5.0 %), most by prepare.max_characters (1)\nmonolingual.en: ")
    assert "set prepare.max_dropped_fraction higher" in message
    assert "| dropped by leakage        |    -1 |" in message
    assert paths.prepared_split("train").read_bytes() == prepared  # the older outputs stay
    code, text = _s2s(paths, "--rule", "leakage", "--split", "train")
    assert (code, text.splitlines()[0]) == (
        0, "`s2s prepare` stopped: it lost too many rows. These are the rows of that run.",
    )  # fmt: skip
    assert "train.tsv:13" in text
    run_prepare(_settings(max_dropped_fraction=1.0), paths, NullRecorder())
    assert "stopped" not in _s2s(paths)[1]


@pytest.mark.parametrize("name", ["prepare.json", "dropped.jsonl"])
def test_damaged_reports_are_named(paths: Paths, name: str) -> None:
    place = paths.prepare_report.parent / name
    place.parent.mkdir(parents=True, exist_ok=True)
    for other in ("prepare.json", "dropped.jsonl"):
        text = '{"train": {"rows_in": 1, "dropped": {"leakage": 0}}}' if other == "prepare.json" else ""
        (place.parent / other).write_text(text, encoding="utf-8")
    for damaged in ("[]", "null", "[" * 100_000, "{}", '{"train": 1}'):
        place.write_text(damaged, encoding="utf-8")
        result = CliRunner().invoke(app, ["dropped", "--workspace", str(paths.root)])
        assert (result.exit_code, f"{name}: not as `s2s prepare` writes it" in result.stderr) == (2, True), (damaged, result.output)
