from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from seq2seq_core.training.best_so_far import BestSoFar
from seq2seq_core.training.checkpoint_store import FINISHED_FILE, CheckpointStore
from seq2seq_core.training.progress_state import ProgressState


def make_state(step: int) -> ProgressState:
    return ProgressState(best=BestSoFar(metric="loss", loss=0.1 + 0.2), step=step)


def make_tensors(value: float) -> dict[str, Tensor]:
    return {"model.weight": torch.full((2, 3), value), "optimizer.step.weight": torch.tensor(value)}


def make_store(folder: Path, steps: tuple[int, ...]) -> CheckpointStore:
    """A store with a checkpoint, and new best weights, at each of the steps."""
    store = CheckpointStore(folder)
    store.curves.write_bytes(b"0123456789")
    for step in steps:
        store.save_best(step, {"weight": torch.tensor([float(step)])})
        store.save(make_state(step), make_tensors(step), curve_bytes=10)
    return store


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_last_checkpoint_comes_back_exactly(tmp_path: Path) -> None:
    make_store(tmp_path, (5, 10))
    store = CheckpointStore(tmp_path)
    restored = store.restore()
    assert restored is not None
    assert restored.checkpoint.progress == make_state(10)
    assert restored.checkpoint.curve_bytes == 10
    assert all(torch.equal(restored.tensors[name], value) for name, value in make_tensors(10).items())
    assert store.load_best()["weight"].tolist() == [10.0]


def test_an_empty_folder_has_nothing_to_restore(tmp_path: Path) -> None:
    assert CheckpointStore(tmp_path).restore() is None


def test_the_last_two_checkpoints_and_their_best_weights_are_kept(tmp_path: Path) -> None:
    make_store(tmp_path, (5, 10, 15))
    assert names(tmp_path) == [
        "best-00000010.safetensors",
        "best-00000015.safetensors",
        "checkpoint-00000010.json",
        "checkpoint-00000010.safetensors",
        "checkpoint-00000015.json",
        "checkpoint-00000015.safetensors",
        "curves.jsonl",
    ]


def test_best_weights_stay_as_long_as_a_checkpoint_names_them(tmp_path: Path) -> None:
    store = make_store(tmp_path, (5,))
    for step in (10, 15, 20):
        store.save(make_state(step), make_tensors(step), curve_bytes=10)
    assert store.load_best()["weight"].tolist() == [5.0]


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        ("checkpoint-00000010.safetensors", "the digest of checkpoint-00000010.safetensors does not fit its content"),
        ("best-00000010.safetensors", "the digest of best-00000010.safetensors does not fit its content"),
    ],
)
def test_a_torn_file_is_refused_and_the_checkpoint_before_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damaged: str, reason: str
) -> None:
    make_store(tmp_path, (5, 10))
    os.truncate(tmp_path / damaged, (tmp_path / damaged).stat().st_size - 3)
    store = CheckpointStore(tmp_path)
    restored = store.restore()
    assert restored is not None
    assert restored.checkpoint.progress.step == 5
    assert store.load_best()["weight"].tolist() == [5.0]
    assert caplog.messages == [f"{tmp_path / 'checkpoint-00000010.json'}: a damaged training state is left out ({reason})"]


def test_a_changed_progress_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_store(tmp_path, (5, 10))
    path = tmp_path / "checkpoint-00000010.json"
    path.write_text(path.read_text().replace('"step": 10', '"step": 11', 1))
    restored = CheckpointStore(tmp_path).restore()
    assert restored is not None
    assert restored.checkpoint.progress.step == 5
    assert caplog.messages == [f"{path}: a damaged training state is left out (its digest does not fit its content)"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"checkpoint": {}, "sha256": "x"}'])
def test_whatever_stands_in_a_checkpoint_is_no_crash(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    make_store(tmp_path, (5,))
    (tmp_path / "checkpoint-00000005.json").write_bytes(content)
    assert CheckpointStore(tmp_path).restore() is None
    assert len(caplog.messages) == 1


def test_a_missing_file_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_store(tmp_path, (5, 10))
    (tmp_path / "checkpoint-00000010.safetensors").unlink()
    restored = CheckpointStore(tmp_path).restore()
    assert restored is not None
    assert restored.checkpoint.progress.step == 5
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_curves_that_are_shorter_than_the_checkpoint_says_are_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = make_store(tmp_path, (5,))
    os.truncate(store.curves, 9)
    assert CheckpointStore(tmp_path).restore() is None
    assert caplog.messages == [
        f"{tmp_path / 'checkpoint-00000005.json'}: a damaged training state is left out (curves.jsonl is cut short)"
    ]


def test_a_half_written_draft_is_never_taken_for_a_checkpoint(tmp_path: Path) -> None:
    make_store(tmp_path, (5,))
    (tmp_path / ".checkpoint-00000010.json.draft").write_bytes(b"{")
    restored = CheckpointStore(tmp_path).restore()
    assert restored is not None
    assert restored.checkpoint.progress.step == 5


def test_a_finished_training_keeps_best_weights_and_curves_alone(tmp_path: Path) -> None:
    store = make_store(tmp_path, (5, 10))
    store.finish(make_state(12), curve_bytes=10, end="patience")
    assert names(tmp_path) == ["best-00000010.safetensors", "curves.jsonl", FINISHED_FILE]
    again = CheckpointStore(tmp_path)
    restored = again.restore()
    assert restored is not None
    assert (restored.checkpoint.end, restored.checkpoint.progress.step, restored.tensors) == ("patience", 12, {})
    assert again.load_best()["weight"].tolist() == [10.0]


def test_a_failed_write_leaves_the_earlier_checkpoint_and_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_store(tmp_path, (5,))

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space left on device"):
            store.save(make_state(10), make_tensors(10), curve_bytes=10)
    assert not [name for name in names(tmp_path) if name.startswith(".")]
    restored = CheckpointStore(tmp_path).restore()
    assert restored is not None
    assert restored.checkpoint.progress.step == 5


def test_clearing_leaves_nothing(tmp_path: Path) -> None:
    store = make_store(tmp_path, (5, 10))
    store.finish(make_state(12), curve_bytes=10, end="patience")
    store.clear()
    assert names(tmp_path) == []
    assert store.restore() is None


def test_floats_are_stored_exactly(tmp_path: Path) -> None:
    make_store(tmp_path, (5,))
    content = json.loads((tmp_path / "checkpoint-00000005.json").read_text())
    assert content["checkpoint"]["progress"]["best"]["loss"] == 0.1 + 0.2


# --- the state to step back to -----------------------------------------------------------------------------------------
def test_the_good_checkpoint_and_its_best_weights_outlive_later_ones(tmp_path: Path) -> None:
    store = make_store(tmp_path, (5,))
    store.save_best(6, {"weight": torch.tensor([6.0])})
    store.save(make_state(10), make_tensors(10), curve_bytes=10, is_good=True)
    for step in (15, 20, 25):
        store.save_best(step, {"weight": torch.tensor([float(step)])})
        store.save(make_state(step), make_tensors(step), curve_bytes=10)
    assert [name for name in names(tmp_path) if name.endswith(".json")] == [
        f"checkpoint-000000{step}.json" for step in (10, 20, 25)
    ]
    again = CheckpointStore(tmp_path)
    assert again.restore_good() is None
    restored = again.restore()
    good = again.restore_good()
    assert restored is not None
    assert good is not None
    assert (restored.checkpoint.progress.step, good.checkpoint.progress.step) == (25, 10)
    assert all(torch.equal(good.tensors[name], value) for name, value in make_tensors(10).items())
    assert again.load_best()["weight"].tolist() == [25.0]


def test_a_new_good_checkpoint_takes_the_place_of_the_old_one_once_no_checkpoint_needs_that(tmp_path: Path) -> None:
    store = make_store(tmp_path, (5,))
    store.save(make_state(10), make_tensors(10), curve_bytes=10, is_good=True)
    for step, is_good in ((15, False), (20, True), (25, False)):
        store.save(make_state(step), make_tensors(step), curve_bytes=10, is_good=is_good)
        if step == 20:  # the checkpoint of step 15, which a torn one of step 20 would fall back to, steps back to that of step 10
            assert (tmp_path / "checkpoint-00000010.json").exists()
    assert [name for name in names(tmp_path) if name.endswith(".json")] == ["checkpoint-00000020.json", "checkpoint-00000025.json"]


def test_a_damaged_good_checkpoint_is_none_and_said_to_be(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = make_store(tmp_path, ())
    store.save(make_state(10), make_tensors(10), curve_bytes=10, is_good=True)
    os.truncate(tmp_path / "checkpoint-00000010.safetensors", 3)
    assert store.restore_good() is None
    reason = "the digest of checkpoint-00000010.safetensors does not fit its content"
    assert caplog.messages == [f"{tmp_path / 'checkpoint-00000010.json'}: a damaged training state is left out ({reason})"]


def test_the_last_step_is_that_of_the_newest_checkpoint(tmp_path: Path) -> None:
    assert make_store(tmp_path, ()).last_step() is None
    assert make_store(tmp_path, (5, 10)).last_step() == 10
