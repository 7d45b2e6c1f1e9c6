"""The states of a job: new, going on, another one, complete; and what ends it."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest

from seq2seq_core.bulk import bulk_run, decoded_shards
from seq2seq_core.bulk.job_manifest import LOCK_NAME, MANIFEST_NAME, read_manifest
from seq2seq_core.bulk.row_block import RowResult
from seq2seq_core.bundle.config_file import StoredEngine, read_config
from seq2seq_core.decoding.phrases.wanted_phrases import Phrases
from seq2seq_core.errors import EXIT_TERMINATED, CorpusError, Interrupted, UserError, WorkspaceBusy
from seq2seq_core.file_lock import hold_lock
from seq2seq_core.serving.batching.ticket import Mode, Row

from .conftest import MirrorPool, Run, Shown


def write_rows(path: Path, count: int) -> Path:
    path.write_text("source\n" + "".join(f"row {number}\n" for number in range(count)))
    return path


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != LOCK_NAME}


def test_a_job_that_was_stopped_goes_on_and_ends_in_the_same_bytes(
    tmp_path: Path, run_mirrored: Run, mirror: MirrorPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = write_rows(tmp_path / "in.tsv", 25), tmp_path / "out"
    run_mirrored(source, shard_rows=4)
    expected = files_of(out)
    out.rename(tmp_path / "undisturbed")
    out.mkdir()
    (tmp_path / "undisturbed" / LOCK_NAME).rename(out / LOCK_NAME)
    to_disk = os.fsync

    def fill(descriptor: int) -> None:
        if (out / ".in-00004.tsv.draft").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        to_disk(descriptor)

    with monkeypatch.context() as patched, pytest.raises(OSError, match=r"in-00004\.tsv") as caught:
        patched.setattr(os, "fsync", fill)
        run_mirrored(source, shard_rows=4)
    assert caught.value.errno == errno.ENOSPC
    found = read_manifest(out)
    assert found is not None
    assert (list(found.shards), found.is_complete) == ([f"in-0000{number}.tsv" for number in range(4)], False)
    assert not list(out.glob(".*.draft")), "nothing half-written stays"
    mirror.batches.clear()
    shown = Shown()
    summary = run_mirrored(source, shard_rows=4, shows=shown)
    assert (summary.num_rows, summary.num_decoded, shown.told[0]) == (25, 9, (16, "of 25"))
    assert sum(map(len, mirror.batches)) == 9, "what is finished is not decoded again"
    assert files_of(out) == expected
    again = run_mirrored(source, shard_rows=4)
    assert again.headline() == f"nothing to do: 25 rows in 7 shards in {out}, all finished before"


def test_another_job_is_refused_with_all_differences_until_it_is_told_to_begin_anew(tmp_path: Path, run_mirrored: Run) -> None:
    source, out = write_rows(tmp_path / "in.tsv", 5), tmp_path / "out"
    run_mirrored(source, shard_rows=2)
    (out / "mine.txt").write_text("of the user\n")
    write_rows(source, 3)
    with pytest.raises(UserError) as caught:
        run_mirrored(source, shard_rows=3, options={"beam_size": 2})
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(f"{out}: holds the output of another job")
    assert lines[1:3] == ["  options.beam_size was 5, is 2", "  shard_rows was 2, is 3"]
    assert lines[3].startswith("  input in.tsv has changed (SHA-256 was ")
    assert lines[4].endswith("another folder, or --restart to delete its output and begin anew")
    assert (out / "in-00002.tsv").is_file(), "a refused job changes nothing"
    summary = run_mirrored(source, shard_rows=3, restarts=True)
    assert summary.num_decoded == 3
    assert sorted(files_of(out)) == [MANIFEST_NAME, "in-00000.tsv", "mine.txt"]
    with pytest.raises(UserError, match=r"input in\.tsv is missing\n  input more\.tsv is new"):
        run_mirrored(write_rows(tmp_path / "more.tsv", 3), shard_rows=3)


def test_an_engine_of_another_version_is_another_job(tmp_path: Path, run_mirrored: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_rows(tmp_path / "in.tsv", 5)
    with pytest.raises(Interrupted):
        run_mirrored(source, shard_rows=2, stop=lambda: True)
    monkeypatch.setattr(MirrorPool, "engines", ("mirror 2", "reference"))
    with pytest.raises(UserError, match="\n  engine was mirror, is mirror 2\n"):
        run_mirrored(source, shard_rows=2)
    assert run_mirrored(source, shard_rows=2, renews=True).engine == "mirror 2"


def test_a_job_that_renews_goes_on_with_its_own_and_replaces_another(tmp_path: Path, run_mirrored: Run, mirror: MirrorPool) -> None:
    source, out = write_rows(tmp_path / "in.tsv", 5), tmp_path / "out"
    run_mirrored(source, shard_rows=1)
    (out / "mine.txt").write_text("of the user\n")
    (out / "in-00004.tsv").unlink()
    assert run_mirrored(source, shard_rows=1, renews=True).num_decoded == 1
    assert run_mirrored(source, shard_rows=3, renews=True).num_decoded == 5
    assert sorted(files_of(out)) == [MANIFEST_NAME, "in-00000.tsv", "in-00001.tsv", "mine.txt"]


@pytest.mark.parametrize(("name", "expected"), [("ctranslate2", "reference"), ("torch", "mirror"), (None, "mirror")])
def test_the_manifest_names_what_decodes(
    name: str | None, expected: str, tmp_path: Path, run_mirrored: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CTranslate2 leaves a length_penalty above 1 to the reference; PyTorch at 8 bits decodes by it."""
    engine = None if name is None else StoredEngine.model_validate({"name": name, "compute_type": "int8"})
    monkeypatch.setattr(bulk_run, "read_config", lambda folder: read_config(folder).model_copy(update={"engine": engine}))
    run_mirrored(write_rows(tmp_path / "in.tsv", 5), options={"length_penalty": 1.5})
    assert json.loads((tmp_path / "out" / MANIFEST_NAME).read_text())["engine"] == expected


def test_a_shard_that_was_changed_or_deleted_is_made_again(
    tmp_path: Path, run_mirrored: Run, mirror: MirrorPool, caplog: pytest.LogCaptureFixture
) -> None:
    source, out = write_rows(tmp_path / "in.tsv", 10), tmp_path / "out"
    run_mirrored(source, shard_rows=4)
    expected = files_of(out)
    (out / "in-00000.tsv").unlink()
    (out / "in-00001.tsv").write_text("changed")
    mirror.batches.clear()
    assert run_mirrored(source, shard_rows=4).num_decoded == 8
    assert (files_of(out), sum(map(len, mirror.batches))) == (expected, 8)
    assert "2 shards are missing or changed and are made again, such as in-00000.tsv" in caplog.text


def test_a_folder_of_other_files_a_damaged_manifest_and_a_second_process_are_refused(tmp_path: Path, run_mirrored: Run) -> None:
    source, out = write_rows(tmp_path / "in.tsv", 3), tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").touch()
    with pytest.raises(UserError, match=r"must be a new or empty folder, or that of an earlier job, got one with notes\.txt"):
        run_mirrored(source)
    (out / MANIFEST_NAME).write_text("{}")
    with pytest.raises(UserError, match=r"_s2s_job\.json: cannot be read \(model: Field required\)"):
        run_mirrored(source)
    busy = WorkspaceBusy("")
    with hold_lock(out / LOCK_NAME, lambda _: busy), pytest.raises(WorkspaceBusy, match="another process writes to it"):
        run_mirrored(source)


def test_an_input_that_changes_during_the_job_ends_it(tmp_path: Path, run_mirrored: Run) -> None:
    source = write_rows(tmp_path / "in.tsv", 9)
    shown = Shown()
    shown.update = lambda completed, message="": os.utime(source, ns=(1, 1))  # type: ignore[method-assign]
    with pytest.raises(CorpusError, match=r"in\.tsv: the file was changed while it was read"):
        run_mirrored(source, shard_rows=2, shows=shown)
    found = read_manifest(tmp_path / "out")
    assert found is not None
    assert len(found.shards) == 1


def test_an_input_that_grows_during_the_job_ends_it(tmp_path: Path, run_mirrored: Run) -> None:
    source = write_rows(tmp_path / "in.tsv", 3)
    shown = Shown()

    @contextmanager
    def grow(total: int, finished: int) -> Iterator[Shown]:
        write_rows(source, 9)
        yield shown

    with pytest.raises(CorpusError, match=r"in\.tsv: the file was changed while it was read"):
        run_mirrored(source, shard_rows=9, shows=grow)
    assert not list((tmp_path / "out").glob("*.tsv"))


def test_a_stop_says_what_is_finished_and_how_to_go_on(tmp_path: Path, run_mirrored: Run) -> None:
    source = write_rows(tmp_path / "in.tsv", 9)

    def interrupt(error: BaseException) -> Shown:
        shown = Shown()

        def update(completed: float, message: str = "") -> None:
            raise error

        shown.update = update  # type: ignore[method-assign]
        return shown

    rest = f"of 9 rows are finished in {tmp_path / 'out'}; the same command goes on with the others"
    with pytest.raises(Interrupted) as pressed:
        run_mirrored(source, shard_rows=2, shows=interrupt(KeyboardInterrupt()))
    with pytest.raises(Interrupted) as ended:
        run_mirrored(source, shard_rows=2, shows=interrupt(Interrupted("terminated (SIGTERM); x", EXIT_TERMINATED)))
    assert str(pressed.value) == f"interrupted; 2 {rest}"
    assert (str(ended.value), ended.value.exit_code) == (f"terminated (SIGTERM); 4 {rest}", EXIT_TERMINATED)


def test_a_job_of_nothing_but_errors_ends_and_one_with_some_goes_on(
    tmp_path: Path, run_mirrored: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoded_shards, "FEWEST_FAILED", 2)
    (tmp_path / "bad.txt").write_text("wrong\nwrong\nwrong\n")
    with pytest.raises(UserError, match=r"^each of the 2 rows that were read first has an error, such as: cannot be mirrored$"):
        run_mirrored(tmp_path / "bad.txt", shard_rows=2)
    (tmp_path / "numbers.jsonl").write_text('{"source": 5}\n{"source": 6}\n')
    with pytest.raises(
        UserError, match=r"^each of the 2 rows that were read first has an error, such as: expected a text in 'source', got int$"
    ):
        run_mirrored(tmp_path / "numbers.jsonl", restarts=True)
    (tmp_path / "good.txt").write_text("right\nright\nwrong\nwrong\n")
    assert run_mirrored(tmp_path / "good.txt", shard_rows=2, restarts=True).num_errors == 2


def test_an_output_that_is_a_file_and_inputs_without_a_row_are_said(tmp_path: Path, run_mirrored: Run) -> None:
    (tmp_path / "empty.csv").write_text("source\n")
    assert run_mirrored(tmp_path / "empty.csv").headline().startswith("nothing to do: no input has a row; ")
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "out").touch()
    with pytest.raises(UserError, match=r"out: is a file; expected a folder for the shards"):
        run_mirrored(tmp_path / "empty.csv")


def test_no_more_than_two_shards_are_in_memory_and_rows_of_similar_length_are_decoded_together(
    tmp_path: Path, run_mirrored: Run, mirror: MirrorPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.txt").write_text("".join(f"{'x' * (number % 7)}\n" for number in range(50)))
    ahead: list[int] = []
    submit = mirror.submit

    def counted(rows: Sequence[Row], mode: Mode) -> Future[list[RowResult]]:
        answered = submit(rows, mode)
        ahead.append(sum(map(len, mirror.batches)) - 10 * len(list((tmp_path / "out").glob("*.jsonl"))))
        return answered

    monkeypatch.setattr(mirror, "submit", counted)
    run_mirrored(tmp_path / "in.txt", shard_rows=10, batch_sentences=5)
    assert max(ahead) == 20
    assert all(len(batch) == 5 for batch in mirror.batches)
    assert all(list(map(len, batch)) == sorted(map(len, batch), reverse=True) for batch in mirror.batches)


def test_predictions_that_were_cut_are_counted_and_further_hypotheses_have_columns(
    tmp_path: Path, run_mirrored: Run, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "in.txt").write_text("ab!\ncd\n")
    summary = run_mirrored(tmp_path / "in.txt", output_format="csv", options={"num_hypotheses": 2})
    assert "1 of 2 predictions were cut at their length limit; a larger --max-length" in caplog.text
    assert summary.num_cut == 1
    head = (tmp_path / "out" / "in-00000.csv").read_text().splitlines()[0]
    assert head == (
        "source,prediction,prediction_score,prediction_is_cut,prediction_2,prediction_2_score,prediction_2_is_cut,"
        "prediction_source_is_cut,prediction_error"
    )


def test_phrases_go_to_the_rows_that_they_are_for_and_are_part_of_the_job(
    tmp_path: Path, run_mirrored: Run, mirror: MirrorPool
) -> None:
    source = tmp_path / "in.txt"
    source.write_text("3 May\n4 May 2001\nle 7\n")
    phrases = Phrases(glossary={"May": "04", "2001": "1"})
    run_mirrored(source, phrases=phrases)
    assert mirror.phrases == {"3 May": Phrases(("04",)), "4 May 2001": Phrases(("04", "1")), "le 7": None}
    assert run_mirrored(source, phrases=phrases).num_decoded == 0
    with pytest.raises(UserError, match="phrases"):
        run_mirrored(source, phrases=Phrases(forbid=("1",)))
    with pytest.raises(UserError, match=r"^force or glossary: the model's tokeniser cannot spell 'ж'"):
        run_mirrored(source, phrases=Phrases(glossary={"absent": "ж"}), restarts=True)
    assert run_mirrored(source, phrases=phrases).num_decoded == 0, "a refused job leaves the output"


def test_a_threshold_needs_a_model_with_a_calibrator(tmp_path: Path, run_mirrored: Run) -> None:
    (tmp_path / "in.txt").write_text("ab\n")
    with pytest.raises(UserError, match="min_confidence: must be 0 with this model, which has no calibrator"):
        run_mirrored(tmp_path / "in.txt", options={"min_confidence": 0.5})
    assert not (tmp_path / "out").exists()
