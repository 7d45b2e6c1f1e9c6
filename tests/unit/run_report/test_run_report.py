"""The report of a run, from a hostile corpus: what it shows, what it never lets through, and that it survives missing parts."""

from __future__ import annotations

import json
import shutil
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from seq2seq_core.artifacts import Paths
from seq2seq_core.cli.main import app
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.errors import ContractViolation, CorpusError
from seq2seq_core.outcome import Outcome, write_outcome
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.run_report.prepared_samples import sample_prepared_rows
from seq2seq_core.run_report.report_page import write_report
from seq2seq_core.run_report.stage_end import StageEnd, reported
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.validate import run_validate
from tests.page_elements import Elements

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = "<script>alert('x')</script><img src=http://evil/x onerror=alert(1)>"
BIDI = "\u202eevil\u2066 \u200bword"
MEGABYTE = "x" * 1_000_000
MOST_BYTES = 300_000


def _settings(**sections: dict[str, Any]) -> Settings:
    values: dict[str, Any] = {
        "corpus": {"path": "raw", "files": {split: [f"{split}.tsv"] for split in ("train", "dev", "test")}},
        "validate": {"html_tags": {"limit": 0, "severity": "error"}},
        "prepare": {"mend": ["mojibake", "invisible_characters"], "max_characters": 900, "max_dropped_fraction": 1.0},
        "tokenize": {"joint": True, "source": {"model": "char", "vocabulary_size": 200}},
        "register": {"model_name": "hostile"},
    }
    return parse_settings(values | sections, "test")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    shutil.copyfile(ROOT / "dvc.yaml", tmp_path / "dvc.yaml")
    (tmp_path / "raw").mkdir()
    rows = [f"source {number}\ttarget {number}\t{SCRIPT}" for number in range(20)]
    rows += [
        f"{SCRIPT} a\t{BIDI} b\t{BIDI}",
        "CafÃ© d\td\tde",
        f"{MEGABYTE}\t{SCRIPT * 9000}\t{MEGABYTE}",
        "dev 1\tx\tde",
        "source 3\ttarget 3\tde",
    ]
    for split, own in (("train", rows), ("dev", ["dev 1\td\tde"]), ("test", ["test 1\tt\tde"])):
        text = "".join(f"{line}\n" for line in ["source\ttarget\tlanguage", *own])
        (tmp_path / "raw" / f"{split}.tsv").write_text(text, encoding="utf-8")
    return Paths(tmp_path.resolve())


def _page(paths: Paths) -> Elements:
    html = paths.run_report.read_text(encoding="utf-8")
    assert len(html) < MOST_BYTES
    page = Elements(html)
    assert not page.names & {"script", "img", "link", "iframe", "form", "object", "base"}
    assert not [address for address in page.addresses if address is None or not address.startswith("#")]
    assert not {"\u202e", "\u2066", "\u200b"} & set(html)
    return page


def _leave(paths: Paths, stage: str, kind: str, message: str = "") -> None:
    write_outcome(paths.outcomes, Outcome(stage, kind, message, 0, False, 1))
    time.sleep(0.01)


def _check_failure(page: Elements) -> None:
    """The failed ``validate`` names the offenders."""
    assert "validate failed: the corpus raw breaks 1 data contract of severity error" in page.text
    assert "1 of severity error." in page.text
    assert "train.tsv:22" in page.text
    assert SCRIPT[:20] in page.text
    assert "has not run here" in page.text
    assert "Samples of rows" not in page.text


def test_the_report_names_offenders_shows_what_happened_to_rows_and_what_is_of_an_earlier_run(paths: Paths) -> None:
    with pytest.raises(ContractViolation), reported("validate", "hostile", paths, is_last=False):
        run_validate(_settings(), paths, NullRecorder())
    _check_failure(_page(paths))
    paths.validation_report.write_bytes((paths.work / "validation.json").read_bytes())
    for stage, run in (("validate", None), ("prepare", run_prepare), ("tokenize", run_tokenize)):
        if run is not None:
            run(_settings(), paths, NullRecorder())
        _leave(paths, stage, "ok")
    write_report(paths, "hostile")
    page = _page(paths)
    for text in (
        "dropped by deduplicate", "changed by mojibake", "train: dropped by max_characters, 1 of 25 rows (4 %)", "train.tsv:24",
        "train: changed by mojibake, 1 of 25 rows (4 %)", '"CafÃ© d"', '"Café d"', "dropped by prepare: leakage",
        "found by validate: dev_leakage", "train: kept rows", '"source 0"', "test: kept rows", "Vocabulary: ", "\\u202eevil",
    ):  # fmt: skip
        assert text in page.text, text
    assert "earlier run" not in page.text
    paths.evaluation.mkdir(parents=True)
    long = f'7,"{"y" * 9000}","a ""b""\n{BIDI}",wrong,wrong,9,1.0,-1,-1,False,'
    heads = "row,source,reference,hypothesis,greedy,edits,cer,score,log_probability,is_cut,confidence"
    (paths.evaluation / "worst.csv").write_text(f"{heads}\n{long}\n8,short\n", encoding="utf-8")
    write_report(paths, "hostile")
    shown = _page(paths).text
    assert "Worst answers" in shown
    assert '"a "b"\\n\\u202eevil' in shown
    assert "short" not in shown.partition("Worst answers")[2].partition("Contracts")[0]
    _leave(paths, "validate", "user_fault", "a contract is broken")
    write_report(paths, "hostile")
    page = _page(paths)
    assert page.text.count("Of an earlier run: the last one has no report of prepare.") == 2  # funnel, samples
    assert "dropped by prepare: leakage" not in page.text, "it is not known of these rows"
    _leave(paths, "validate", "ok")
    _leave(paths, "prepare", "user_fault", "no such file")
    write_report(paths, "hostile")
    assert _page(paths).text.count("Of an earlier run: the last one has no report of prepare.") == 2
    (paths.root / "raw" / "dev.tsv").unlink()
    paths.stopped_prepare.mkdir()
    with pytest.raises(CorpusError):
        run_prepare(_settings(), paths, NullRecorder())
    assert not paths.stopped_prepare.exists()
    with pytest.raises(CorpusError), reported("validate", "hostile", paths, is_last=False):
        run_validate(_settings(), paths, NullRecorder())
    assert "of severity error" not in _page(paths).text, "those were the contracts of an earlier run"


def test_the_command_makes_it_again_from_what_there_is(paths: Paths, tmp_path: Path) -> None:
    def s2s(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["report", *arguments, "--workspace", str(paths.root)])
        assert result.exit_code == 0, result.output
        return result.stdout.strip()

    assert s2s() == str(paths.run_report)  # nothing has run, no params.yaml
    assert f"Run of {paths.root.name}" in _page(paths).text
    _leave(paths, "train", "user_fault", f"{SCRIPT}\nsecond line")
    paths.prepare_report.write_text('{"train": 3, "dev": {"rows_in": null, "dropped": []}}', encoding="utf-8")
    for damaged in (paths.validation_report, paths.tokenize_report, paths.receipt, paths.drift):
        damaged.parent.mkdir(exist_ok=True)
        damaged.write_text("[1, {", encoding="utf-8")
    assert s2s("--output", str(tmp_path / "else.html")) == str(tmp_path / "else.html")
    text = Elements((tmp_path / "else.html").read_text(encoding="utf-8")).text
    assert f"train failed: {SCRIPT}" in text
    assert "second line" in text
    paths.prepare_report.write_text('{"train": {"rows_in": "many"}}', encoding="utf-8")
    paths.evaluation.mkdir(parents=True)
    paths.evaluation_scores.write_text('{"test": {"chrf": 1}, "slices": {"language": null}}', encoding="utf-8")
    (paths.outcomes / "validate.json").write_text(
        '{"stage": "validate", "kind": [], "message": 3, "exit_code": 0, "retryable": false, "pid": 1}', encoding="utf-8"
    )
    s2s()
    text = _page(paths).text
    assert "What prepare left is damaged." in text  # JSON, but not what the stage writes: the other sections stay
    assert "What evaluate left is damaged." in text
    assert f"train failed: {SCRIPT}" in text


def test_scores_stand_beside_baselines_and_the_worst_part_comes_first(paths: Paths) -> None:
    paths.evaluation.mkdir(parents=True)
    slices = {"language": {"de": {"chrf": 60.0, "count": 5}, SCRIPT: {"chrf": 20.0, "count": 3}}}
    slices["source_characters"] = {"1-9": {"chrf": 10.0, "count": 8}}
    scores = {"test": {"chrf": 45.0}, "baselines": {"copy_source": {"chrf": 12.5}}, "slices": slices}
    paths.evaluation_scores.write_text(json.dumps(scores), encoding="utf-8")
    receipt = {
        "model_name": "m",
        "version": "2",
        "decision": "champion",
        "reason": "better",
        "registry": "http://mlflow:5000",
        "metric": "chrf",
    }
    paths.receipt.write_text(json.dumps(receipt | {"champion_scores": {"chrf": 41.0}}), encoding="utf-8")
    write_report(paths, "m", StageEnd("register", "ok", "", time.time()))
    page = Elements(paths.run_report.read_text(encoding="utf-8"))
    assert "m version 2 is champion: better" in page.text
    assert "http://mlflow:5000/#/models/m/versions/2" in page.addresses
    places = [page.text.rindex(name) for name in (f"language {SCRIPT}"[:40], "language de", "source characters 1-9")]
    assert places == sorted(places)
    for text in ("baseline: copy source", "12.5", "champion", "41"):
        assert text in page.text


def test_a_stage_that_is_not_the_last_leaves_no_report_and_a_fault_of_the_report_is_a_warning(
    paths: Paths, caplog: pytest.LogCaptureFixture
) -> None:
    with reported("prepare", "m", paths, is_last=False):
        pass
    with pytest.raises(KeyboardInterrupt), reported("prepare", "m", paths, is_last=False):
        raise KeyboardInterrupt
    assert not paths.run_report.exists()
    paths.run_report.mkdir(parents=True)
    with reported("register", "m", paths, is_last=True):
        pass
    assert [message for message in caplog.messages if message.startswith("no report of the run: ")]


def test_kept_rows_are_drawn_evenly_and_longest_lines_are_passed_by(paths: Paths) -> None:
    paths.prepared.mkdir(parents=True)
    lines = [json.dumps({"source": str(number), "target": "t"}) for number in range(1000)]
    paths.prepared_split("train").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    found = [int(row.values["source"]) for row in sample_prepared_rows(paths, 5)]
    assert found[0] == 0
    assert all(150 < later - earlier < 250 for earlier, later in pairwise(found))
    paths.prepared_split("train").write_text(f'{{"source": "{"x" * (5 << 20)}"}}\n', encoding="utf-8")
    assert sample_prepared_rows(paths, 5) == []
    longest = json.dumps({"source": "x" * (9 << 20), "target": "t"})
    paths.prepared_split("train").write_text(f"{longest}\n{lines[7]}\n", encoding="utf-8")
    assert [row.values["source"] for row in sample_prepared_rows(paths, 5)] == ["7"]
