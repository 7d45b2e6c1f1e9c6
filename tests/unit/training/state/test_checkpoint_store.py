from __future__ import annotations

import errno
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from seq2seq_core.errors import StorageFault
from seq2seq_core.reproducibility import digest
from seq2seq_core.training.state.checkpoint_store import FINISHED_FILE, CheckpointStore
from seq2seq_core.training.state.early_stopping import EarlyStopping
from seq2seq_core.training.state.progress_state import ProgressState
from seq2seq_core.training.state.sealed_files import read_sealed, write_sealed


def make_state(step: int) -> ProgressState:
    return ProgressState(best=EarlyStopping(metric="loss", loss=0.1 + 0.2), step=step)


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


@pytest.mark.parametrize("name", ["../elsewhere.safetensors", "/tmp/elsewhere.safetensors", "elsewhere.pt"])
def test_a_checkpoint_names_only_files_of_its_folder(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "state").mkdir()
    make_store(tmp_path / "state", (5,))
    file = "checkpoint-00000005.json"
    content = read_sealed(tmp_path / "state", file)
    (tmp_path / "state" / content["best"]["name"]).rename(tmp_path / "elsewhere.safetensors")
    content["best"]["name"] = name
    write_sealed(tmp_path / "state", file, content)
    assert CheckpointStore(tmp_path / "state").restore() is None
    assert caplog.messages == [
        f"{tmp_path / 'state' / file}: a damaged training state is left out (another version wrote it: 1 faults)"
    ]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"[" * 100_000, b"\xff\xfe", b'{"checkpoint": {}, "sha256": "x"}'])
def test_whatever_stands_in_a_checkpoint_is_no_crash(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    make_store(tmp_path, (5,))
    (tmp_path / "checkpoint-00000005.json").write_bytes(content)
    assert CheckpointStore(tmp_path).restore() is None
    assert len(caplog.messages) == 1


def save_with_last(store: CheckpointStore, step: int, last: tuple[int, ...]) -> None:
    """A checkpoint that has the weights at some validations."""
    weights = {f"last_weights.{one:08d}.layer.weight": torch.full((50,), float(one)) for one in last}
    store.save_best(1, {"weight": torch.tensor([1.0])})
    store.save(make_state(step), make_tensors(step) | weights, curve_bytes=10)


def test_weights_that_checkpoints_have_in_common_are_written_once_and_go_with_the_last_one(tmp_path: Path) -> None:
    store, written = make_store(tmp_path, ()), dict[str, int]()
    for step, last in ((2, (2,)), (4, (2, 4)), (5, (2, 4)), (6, (4, 6))):
        save_with_last(store, step, last)
        for path in tmp_path.glob("last-*.safetensors"):
            written.setdefault(path.name, path.stat().st_ino)
            assert path.stat().st_ino == written[path.name], "not written again"
    assert len(written) == 3
    restored = CheckpointStore(tmp_path).restore()
    assert restored is not None
    values = {name: value[0].item() for name, value in restored.tensors.items() if name.startswith("last_weights.")}
    assert values == {"last_weights.00000004.layer.weight": 4.0, "last_weights.00000006.layer.weight": 6.0}
    assert set(restored.tensors) - set(values) == set(make_tensors(6))
    save_with_last(store, 7, (4, 6))  # that of step 5, the last with the weights of step 2, is removed
    assert len(list(tmp_path.glob("last-*.safetensors"))) == 2
    store.finish(make_state(7), curve_bytes=10, end="max_steps")
    assert not list(tmp_path.glob("last-*.safetensors"))


@pytest.mark.parametrize("is_missing", [False, True])
def test_damaged_weights_that_checkpoints_have_in_common_are_noticed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, is_missing: bool
) -> None:
    store = make_store(tmp_path, ())
    save_with_last(store, 2, (2,))
    first = set(tmp_path.glob("last-*.safetensors"))
    save_with_last(store, 4, (2, 4))
    (second,) = set(tmp_path.glob("last-*.safetensors")) - first
    content = bytearray(second.read_bytes())
    content[-3] ^= 4
    second.unlink() if is_missing else second.write_bytes(content)
    after = CheckpointStore(tmp_path)
    restored = after.restore()
    assert restored is not None
    assert restored.checkpoint.progress.step == 2
    assert len(caplog.messages) == 1
    save_with_last(after, 4, (2, 4))  # writes what it does not know to be whole
    again = CheckpointStore(tmp_path).restore()
    assert again is not None
    assert again.checkpoint.progress.step == 4


def test_a_flipped_bit_is_noticed_in_every_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_store(tmp_path, (5, 10))
    for name in ("checkpoint-00000010.json", "checkpoint-00000010.safetensors", "best-00000010.safetensors"):
        content = (tmp_path / name).read_bytes()
        for place in (len(content) // 3, len(content) // 2, len(content) - 3):
            flipped = bytearray(content)
            flipped[place] ^= 4
            (tmp_path / name).write_bytes(flipped)
            caplog.clear()
            restored = CheckpointStore(tmp_path).restore()
            assert restored is not None
            assert restored.checkpoint.progress.step == 5
            assert len(caplog.messages) == 1
        (tmp_path / name).write_bytes(content)


def reseal(path: Path, **changes: object) -> None:
    """Changes a checkpoint's JSON side as another program would have written it: with a digest that fits."""
    content = json.loads(path.read_text())["checkpoint"] | changes
    path.write_text(json.dumps({"checkpoint": content, "sha256": digest(content)}))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format_version": 2}, "it is of format 2, this version reads format 1"),
        ({"training": "abc-def"}, "it belongs to the training abc-def, not to {folder}"),
        ({"progress": {"steps": 3}}, "another version wrote it: 2 faults"),
        ({"sampler": 1}, "another version wrote it: 1 faults"),
    ],
)
def test_a_foreign_checkpoint_is_refused_with_the_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, changes: dict[str, object], reason: str
) -> None:
    make_store(tmp_path, (5, 10))
    path = tmp_path / "checkpoint-00000010.json"
    reseal(path, **changes)
    restored = CheckpointStore(tmp_path).restore()
    assert restored is not None
    assert restored.checkpoint.progress.step == 5
    reason = reason.format(folder=tmp_path.name)
    assert caplog.messages == [f"{path}: a damaged training state is left out ({reason})"]


def test_as_many_checkpoints_are_kept_as_asked_for(tmp_path: Path) -> None:
    for num_kept in (1, 3):
        store = CheckpointStore(tmp_path, num_kept)
        store.curves.write_bytes(b"0123456789")
        for step in (5, 10, 15, 20):
            store.save(make_state(step), make_tensors(step), curve_bytes=10)
        assert len(list(tmp_path.glob("checkpoint-*.json"))) == len(list(tmp_path.glob("checkpoint-*.safetensors"))) == num_kept
        store.clear()


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    make_store(tmp_path, (5,))
    (tmp_path / ".checkpoint-00000010.safetensors.draft").write_bytes(b"{")
    assert CheckpointStore(tmp_path).restore() is not None
    assert not [name for name in names(tmp_path) if name.startswith(".")]


# --- writing in the background ---------------------------------------------------------------------------------------
class HeldWrites:
    """Lets checkpoints be written only when told to, and counts them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.may_go, self.has_begun = threading.Event(), threading.Event()
        self.failure: OSError | None = None
        fsync = os.fsync

        def wait_and_write(descriptor: int) -> None:
            self.has_begun.set()
            assert self.may_go.wait(300)
            if self.failure is not None:
                raise self.failure
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", wait_and_write)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldWrites]:
    writes = HeldWrites(monkeypatch)
    yield writes
    writes.may_go.set()


def test_what_is_written_in_the_background_is_what_was_there_when_it_was_saved(tmp_path: Path, held: HeldWrites) -> None:
    store = CheckpointStore(tmp_path, in_background=True)
    store.curves.write_bytes(b"0123456789")
    state, tensors, weights = make_state(5), make_tensors(5), {"weight": torch.tensor([5.0])}
    store.save_best(5, weights)
    store.save(state, tensors, curve_bytes=10)
    assert held.has_begun.wait(300)
    assert not list(tmp_path.glob("checkpoint-*"))
    state.step = 6  # training goes on
    for tensor in (*tensors.values(), *weights.values()):
        tensor.add_(1)
    held.may_go.set()
    store.settle()
    restored = CheckpointStore(tmp_path).restore()
    assert restored is not None
    assert restored.checkpoint.progress == make_state(5)
    assert all(torch.equal(restored.tensors[name], value) for name, value in make_tensors(5).items())
    assert store.load_best()["weight"].tolist() == [5.0]


def test_a_second_save_waits_for_the_first(tmp_path: Path, held: HeldWrites) -> None:
    store = CheckpointStore(tmp_path, in_background=True)
    store.curves.write_bytes(b"0123456789")
    store.save(make_state(5), make_tensors(5), curve_bytes=10)
    second = threading.Thread(target=lambda: store.save(make_state(10), make_tensors(10), curve_bytes=10))
    second.start()
    second.join(0.05)
    assert second.is_alive()
    held.may_go.set()
    second.join(300)
    assert not second.is_alive()
    store.settle()
    assert [path.name for path in sorted(tmp_path.glob("checkpoint-*.json"))] == [f"checkpoint-{n:08d}.json" for n in (5, 10)]


def test_a_failure_in_the_background_is_raised_where_training_goes_on(tmp_path: Path, held: HeldWrites) -> None:
    store = make_store(tmp_path, ())
    held.may_go.set()
    store = CheckpointStore(tmp_path, in_background=True)
    store.save(make_state(5), make_tensors(5), curve_bytes=10)
    store.settle()
    held.failure = OSError(errno.ENOSPC, "No space left on device")
    store.save(make_state(10), make_tensors(10), curve_bytes=10)
    with pytest.raises(StorageFault, match=r"the disk is full: checkpoint-00000010\.safetensors takes 208 bytes, and .* are free"):
        store.settle()
    store.check()  # it is told once
    held.failure = None
    restored = CheckpointStore(tmp_path).restore()
    assert restored is not None
    assert restored.checkpoint.progress.step == 5


def test_whoever_leaves_the_block_of_writing_leaves_nothing_half_written(tmp_path: Path, held: HeldWrites) -> None:
    store = CheckpointStore(tmp_path, in_background=True)
    store.curves.write_bytes(b"0123456789")
    threading.Timer(0.05, held.may_go.set).start()
    with pytest.raises(ValueError, match=r"^of the loss$"), store.writing():
        store.save(make_state(5), make_tensors(5), curve_bytes=10)
        raise ValueError("of the loss")
    assert (tmp_path / "checkpoint-00000005.json").exists()


# --- a full disk -----------------------------------------------------------------------------------------------------
@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one mebibyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize("in_background", [False, True])
def test_a_full_disk_keeps_the_last_good_checkpoint_and_says_what_to_free(small_disk: Path, in_background: bool) -> None:
    folder, other = small_disk / "own-code", small_disk / "other-code"
    folder.mkdir()
    other.mkdir()
    (other / "best-00000001.safetensors").write_bytes(b"x" * 500_000)
    store = CheckpointStore(folder, in_background=in_background)
    store.curves.write_bytes(b"0123456789")
    store.save(make_state(5), {"weight": torch.zeros(50_000)}, curve_bytes=10)
    with pytest.raises(StorageFault) as caught:
        for step in (10, 15):
            store.save(make_state(step), {"weight": torch.full((100_000,), float(step))}, curve_bytes=10)
        store.settle()
    message = str(caught.value)
    assert message.startswith(f"{folder}: the disk is full: checkpoint-00000010.safetensors takes 400,")
    assert ", and 3" in message  # what is free once the draft is gone, in hundreds of thousands of bytes
    assert f"500,000 bytes of other trainings' states in {small_disk}, `dvc gc --workspace`" in message
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoint-00000005.json", "checkpoint-00000005.safetensors", "curves.jsonl",
    ]  # fmt: skip
    (other / "best-00000001.safetensors").unlink()
    again = CheckpointStore(folder)
    restored = again.restore()
    assert restored is not None
    assert restored.checkpoint.progress.step == 5
    again.save(make_state(10), {"weight": torch.zeros(100_000)}, curve_bytes=10)


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
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="Input/output error"):
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
