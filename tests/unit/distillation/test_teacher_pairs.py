"""``prepare`` with a teacher: which rows it is asked, which outputs are learned, how a killed decoding goes on."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import SPLITS, Paths
from seq2seq_core.bulk import bulk_run
from seq2seq_core.bulk.row_block import RowResult
from seq2seq_core.bulk.worker_pool import isolate_faults
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.code_digests.stage_digest import digest_stage
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.corpus.pairs import iterate_pairs
from seq2seq_core.decoding.prediction import TextHypothesis
from seq2seq_core.distillation import teacher_decoding
from seq2seq_core.errors import ConfigError, Interrupted, UserError
from seq2seq_core.serving.batching.ticket import Mode, Row
from seq2seq_core.stage_table import find_stage
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.tokenization.manifest import file_digest
from seq2seq_core.tokenization.tags import TagColumns
from tests.training_runs import ListRecorder

LOOPING = "the park in the park in the park in the park in the park in the park"
OUTPUTS = {"nothing": "", "cut": "!cut", "loop": LOOPING, "zeros": "1 0 0 0 0 0 0", "copy": "copy"}
"""What the teacher makes of some sources; the others it turns around."""


class TurningPool:
    """Workers of a teacher that turns texts around, and adds its tag."""

    engines: tuple[str, ...] = ("turning",)

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.modes: list[Mode] = []
        self.stops_after: int | None = None

    def submit(self, rows: Sequence[Row], mode: Mode) -> Future[list[RowResult]]:
        if self.stops_after is not None and len(self.asked) >= self.stops_after:
            raise KeyboardInterrupt
        self.asked += [str(row.source) for row in rows]
        self.modes.append(mode)
        done: Future[list[RowResult]] = Future()
        done.set_result(isolate_faults(rows, self._turn))
        return done

    def close(self) -> None:
        pass

    def _turn(self, rows: Sequence[Row]) -> list[RowResult]:
        if any(row.source == "wrong" for row in rows):
            raise UserError("source 1: cannot be turned")
        texts = [OUTPUTS.get(str(row.source), f"{str(row.source)[::-1]}{row.tags.get('language', '')}") for row in rows]
        return [RowResult((TextHypothesis(text, -0.5, -1.0, is_cut=text.startswith("!")),)) for text in texts]


@pytest.fixture(scope="session")
def teacher_folder(tmp_path_factory: pytest.TempPathFactory, make_bundle: Callable[..., None]) -> Path:
    """The bundle of a model that reads a tag."""
    paths = Paths(tmp_path_factory.mktemp("teacher"))
    make_bundle(paths, tags=TagColumns(source=("language",)))
    return paths.served


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> TurningPool:
    """What answers in place of worker processes, in shards of four rows."""
    pool = TurningPool()
    monkeypatch.setattr(bulk_run, "_start_workers", lambda *_: pool)
    monkeypatch.setattr(teacher_decoding, "SHARD_ROWS", 4)
    return pool


@pytest.fixture
def paths(tmp_path: Path, teacher_folder: Path) -> Paths:
    """A workspace with the teacher in ``data/teacher``."""
    paths = Paths(tmp_path / "workspace")
    shutil.copytree(teacher_folder, paths.root / "data" / "teacher")
    return paths


def settings_with(distill: dict[str, Any], corpus: dict[str, Any] | None = None, **prepare: Any) -> Settings:
    sections = {
        "corpus": {"path": "raw", "files": {split: [f"{split}.tsv"] for split in SPLITS}} | (corpus or {}),
        "prepare": prepare | {"distill": {"teacher": "data/teacher"} | distill},
        "register": {"model_name": "student"},
        "runtime": {"device": "cpu", "progress": "plain"},
    }
    return parse_settings(sections, "test")


def write(paths: Paths, rows: Mapping[str, Sequence[tuple[str, ...]]], columns: str = "source\ttarget\tlanguage\ttopic") -> None:
    (paths.root / "raw").mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        lines = ["\t".join(row) for row in rows.get(split, [(f"{split} row", f"{split} target", "de", "none")])]
        (paths.root / "raw" / f"{split}.tsv").write_text("\n".join([columns, *lines, ""]), encoding="utf-8")


def prepared(paths: Paths, split: str = "train") -> list[tuple[str, ...]]:
    return [tuple(pair.values()) for pair in iterate_pairs(paths.prepared_split(split))]


def report(paths: Paths) -> Any:
    return json.loads(paths.prepare_report.read_text(encoding="utf-8"))


def test_outputs_stand_behind_the_real_pairs_with_the_columns_of_their_rows(paths: Paths, pool: TurningPool) -> None:
    write(paths, {"train": [("ab", "AB", "de", "sport"), ("ab", "AB", "en", "news"), ("cd", "CD", "de", "sport")]})
    recorder = ListRecorder()
    run_prepare(settings_with({"beam_size": 3}, {"input_columns": ["language"]}), paths, recorder)
    assert prepared(paths) == [
        ("ab", "AB", "de", "sport"), ("ab", "AB", "en", "news"), ("cd", "CD", "de", "sport"),
        ("ab", "bade", "de", "sport"), ("ab", "baen", "en", "news"), ("cd", "dcde", "de", "sport"),
    ]  # fmt: skip
    assert (report(paths)["train"]["rows_in"], report(paths)["train"]["taught"], report(paths)["train"]["rows_out"]) == (3, 3, 6)
    digest = bundle_digest(paths.root / "data" / "teacher")
    assert recorder.tags == {"teacher": "data/teacher", "teacher_bundle_digest": digest}
    assert json.loads(paths.prepared_teacher.read_text()) == {"teacher": "data/teacher", "digest": digest}
    assert report(paths)["train"]["sha256"] == file_digest(paths.prepared_split("train"))
    assert "also with the teacher's target" in recorder.texts["tables/funnel.md"]
    assert {mode.options.beam_size for mode in pool.modes} == {3}


def test_outputs_that_are_no_use_are_dropped_and_counted(paths: Paths, pool: TurningPool) -> None:
    names = ["nothing", "cut", "loop", "zeros", "copy", "wrong", "long one", "otto"]
    targets = {"zeros": "m 0 0 0 0 0 0", "otto": "ottode"}
    write(paths, {"train": [(name, targets.get(name, "own"), "de", "t") for name in names]})
    run_prepare(settings_with({}, drop_copies=True, max_length_ratio=3.0), paths, ListRecorder())
    counts = report(paths)["teacher"]
    assert counts["dropped"] == {
        "teacher_failed": 1, "teacher_empty": 1, "teacher_cut": 1, "teacher_repetitive": 1, "drop_copies": 1, "min_characters": 0,
        "max_characters": 0, "max_length_ratio": 0, "deduplicate": 1,
    }  # fmt: skip
    assert (counts["rows_in"], counts["rows_out"]) == (8, 2)
    assert [pair[:2] for pair in prepared(paths)[8:]] == [("zeros", "1 0 0 0 0 0 0"), ("long one", "eno gnolde")]


def test_no_row_of_dev_or_test_is_asked_about(paths: Paths, pool: TurningPool) -> None:
    rows = [(f"row {number}", f"target {number}", "de", "t") for number in range(200)]
    (paths.root / "raw").mkdir(parents=True)
    lines = ["source\ttarget\tlanguage\ttopic", *("\t".join(row) for row in rows), "Test Row!\tx\tde\tt"]
    (paths.root / "raw" / "train.tsv").write_text("\n".join([*lines, ""]))
    (paths.root / "raw" / "test.tsv").write_text("source\ttarget\tlanguage\ttopic\ntest row\ty\tde\tt\n")
    settings = settings_with({}, {"files": {"train": ["train.tsv"], "test": ["test.tsv"]}}, dev_fraction=0.3)
    run_prepare(settings, paths, ListRecorder())
    dev = {pair[0] for pair in prepared(paths, "dev")}
    assert len(dev) > 20
    assert sorted(pool.asked) == sorted({row[0] for row in rows} - dev)
    assert {pair[0] for pair in prepared(paths)} == set(pool.asked)


@pytest.mark.parametrize(("share", "lowest", "highest"), [(0.0, 0, 0), (0.5, 70, 130), (1.0, 200, 200)])
def test_a_share_of_the_real_pairs_stays(share: float, lowest: int, highest: int, paths: Paths, pool: TurningPool) -> None:
    rows = [(f"row {number}", f"target {number}", "de", "t") for number in range(200)]
    write(paths, {"train": rows})
    run_prepare(settings_with({"real_pairs": share}), paths, ListRecorder())
    real = [pair for pair in prepared(paths) if pair[1].startswith("target")]
    assert lowest <= len(real) <= highest
    assert len(prepared(paths)) == len(real) + 200
    assert report(paths)["train"]["dropped"].get("distill.real_pairs", 0) == 200 - len(real)
    write(paths, {"train": rows[:100]})
    run_prepare(settings_with({"real_pairs": share}), paths, ListRecorder())
    assert [pair for pair in prepared(paths) if pair[1].startswith("target")] == [pair for pair in real if pair in rows[:100]]


def test_a_source_with_several_targets_is_asked_about_once(paths: Paths, pool: TurningPool) -> None:
    write(paths, {"train": [("ab", "one", "de", "t"), ("ab", "two", "de", "t"), ("ab", "bade", "de", "t")]})
    run_prepare(settings_with({}), paths, ListRecorder())
    assert pool.asked == ["ab"]
    assert [pair[1] for pair in prepared(paths)] == ["one", "two", "bade"], "the teacher's pair is a real one already"
    run_prepare(settings_with({"real_pairs": 0.0}), paths, ListRecorder())
    assert [pair[1] for pair in prepared(paths)] == ["bade"]
    run_prepare(settings_with({}, deduplicate="none"), paths, ListRecorder())
    assert [pair[1] for pair in prepared(paths)] == ["one", "two", "bade", "bade", "bade", "bade"]


def test_both_directions_are_asked_about_with_their_languages(paths: Paths, pool: TurningPool) -> None:
    columns = "source\ttarget\tsource_language\ttarget_language\tlanguage"
    write(paths, {split: [(f"{split} ab", f"{split} xy", "en", "de", "l")] for split in SPLITS}, columns)
    corpus = {"both_directions": True, "input_columns": ["source_language", "target_language"]}
    run_prepare(settings_with({}, corpus), paths, ListRecorder())
    assert prepared(paths) == [
        ("train ab", "train xy", "en", "de", "l"), ("train xy", "train ab", "de", "en", "l"),
        ("train ab", "ba niartl", "en", "de", "l"), ("train xy", "yx niartl", "de", "en", "l"),
    ]  # fmt: skip


def test_a_decoding_that_was_stopped_goes_on_and_ends_in_the_same_bytes(paths: Paths, pool: TurningPool) -> None:
    write(paths, {"train": [(f"row {number}", f"target {number}", "de", "t") for number in range(30)]})
    run_prepare(settings_with({}), paths, ListRecorder())
    expected = {path.name: path.read_bytes() for path in paths.prepared.iterdir()}
    shutil.rmtree(paths.prepared)
    shutil.rmtree(paths.distillation)
    pool.asked, pool.stops_after = [], 20
    with pytest.raises(Interrupted, match=r"rows are finished in .*; the same command goes on"):
        run_prepare(settings_with({}), paths, ListRecorder())
    finished = len(list((paths.distillation / "shards").glob("sources-*.jsonl")))
    assert finished > 1
    assert not paths.prepared.exists(), "nothing half-written stays"
    pool.asked, pool.stops_after = [], None
    run_prepare(settings_with({}), paths, ListRecorder())
    assert len(pool.asked) == 30 - 4 * finished, "finished shards are not decoded again"
    assert {path.name: path.read_bytes() for path in paths.prepared.iterdir()} == expected


def test_another_teacher_option_or_corpus_decodes_anew_and_nothing_else_does(
    paths: Paths, pool: TurningPool, make_bundle: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decoded(settings: Settings) -> int:
        pool.asked = []
        run_prepare(settings, paths, ListRecorder())
        return len(pool.asked)

    rows = [(f"row {number}", f"target {number}", "de", "t") for number in range(9)]
    write(paths, {"train": rows})
    assert [decoded(settings_with({})) for _ in range(2)] == [9, 0]
    assert decoded(settings_with({"max_repetitions": 2, "real_pairs": 0.0})) == 0
    assert [decoded(settings_with({"beam_size": 2})) for _ in range(2)] == [9, 0]
    write(paths, {"train": rows[:8]})
    assert [decoded(settings_with({"beam_size": 2})) for _ in range(2)] == [8, 0]
    make_bundle(Paths(tmp_path / "other"), seed=2, tags=TagColumns(source=("language",)))
    shutil.rmtree(paths.root / "data" / "teacher")
    shutil.copytree(tmp_path / "other" / "models" / "served", paths.root / "data" / "teacher")
    assert [decoded(settings_with({"beam_size": 2})) for _ in range(2)] == [8, 0]
    assert len(list((paths.distillation / "shards").glob("*.jsonl"))) == 2, "shards of earlier jobs are deleted"
    parts = {f"seq2seq_core.decoding.{name}" for name in ("beam_search", "engines.ctranslate2_engine")}
    assert parts | {"seq2seq_core.modeling.attention.multi_head"} <= {*teacher_decoding.code_of_decoding()}
    monkeypatch.setattr(teacher_decoding, "digest_reached_code", lambda *_: {"changed": "0" * 64})
    assert [decoded(settings_with({"beam_size": 2})) for _ in range(2)] == [8, 0]


def test_what_is_no_teacher_is_refused_before_anything_is_decoded(paths: Paths, pool: TurningPool) -> None:
    write(paths, {"train": [("ab", "cd", "de", "t")]})
    digest = bundle_digest(paths.root / "data" / "teacher")
    faults = {
        "data/none": f"prepare.distill.teacher: {paths.root}/data/none: no such folder; expected that of a bundle",
        "models/served": "prepare.distill.teacher: models/served is what this pipeline writes; expected a copy elsewhere",
    }
    for teacher, message in faults.items():
        with pytest.raises(UserError, match=re.escape(message)):
            run_prepare(settings_with({"teacher": teacher}), paths, ListRecorder())
    with pytest.raises(UserError, match=f"data/teacher has the digest {digest}, expected {'0' * 64}"):
        run_prepare(settings_with({"teacher_digest": "0" * 64}), paths, ListRecorder())
    assert pool.asked == []


@pytest.mark.parametrize(
    ("distill", "corpus", "message"),
    [
        ({"teacher": "models:/student@champion"}, {}, "prepare.distill.teacher: must be a version such as models:/student/3"),
        ({}, {"source_kind": "audio"}, "prepare.distill: must be left out unless corpus.source_kind is 'text'"),
        ({"teacher_digest": "12"}, {}, "prepare.distill.teacher_digest: must be a text that matches"),
    ],
)
def test_settings_that_make_no_sense_are_refused(distill: dict[str, Any], corpus: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        parse_settings(
            {
                "corpus": {"path": "raw", "files": {"train": ["a"]}} | corpus,
                "prepare": {"distill": {"teacher": "x"} | distill},
                "tokenize": {"audio": {}} if corpus else {},
                "register": {"model_name": "student"},
            },
            "test",
        )


def test_the_code_of_distillation_and_decoding_counts_only_where_there_is_a_teacher() -> None:
    taught = settings_with({})
    alone = taught.model_copy(update={"prepare": taught.prepare.model_copy(update={"distill": None})})
    with_teacher, without = (reached_code(settings) for settings in (taught, alone))
    assert {
        "seq2seq_core.distillation.distillation", "seq2seq_core.distillation.repetition", "seq2seq_core.bulk.decoded_shards",
        "seq2seq_core.serving.loading",
    } <= with_teacher  # fmt: skip
    left_out = tuple(f"seq2seq_core.{package}." for package in ("distillation", "bulk", "serving", "decoding", "modeling"))
    assert not [name for name in without if name.startswith(left_out)]


def reached_code(settings: Settings) -> set[str]:
    code = digest_stage(find_stage("prepare"), settings)["code"]
    assert isinstance(code, dict)
    return set(code)
