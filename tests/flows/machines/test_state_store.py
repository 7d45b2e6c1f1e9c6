from __future__ import annotations

import json
from pathlib import Path

import fsspec
import pytest

from flows.dvc.remote_place import default_remote, open_place
from flows.machines.state_store import DamagedState, StateStore
from seq2seq_core.errors import WorkspaceBusy
from seq2seq_core.training.state.folder_lock import lock_folder


def write_state(folder: Path, step: int, curves: str = "point\n") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"checkpoint-{step:08d}.safetensors").write_bytes(b"weights" * step)
    (folder / f"checkpoint-{step:08d}.json").write_text(json.dumps({"step": step}))
    (folder / "curves.jsonl").write_text(curves)
    (folder / ".half.draft").write_text("not whole")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "lock" and not path.name.startswith(".")}


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> StateStore:
    if request.param == "file":
        return StateStore(fsspec.filesystem("file"), str(tmp_path / "store"))
    return StateStore(fsspec.filesystem("memory"), f"/{tmp_path.name}")


def test_a_state_arrives_as_it_was_and_each_file_is_sent_once(store: StateStore, tmp_path: Path) -> None:
    here, there = write_state(tmp_path / "north" / "key", 10), tmp_path / "south"
    assert store.names() == []
    assert store.push(here) == sum(map(len, content(here).values()))
    assert store.names() == ["key"]
    assert store.push(here) == 0
    assert store.fetch("key", there)
    assert content(there / "key") == content(here)
    assert not store.fetch("key", there)  # it is not ahead of this one

    before = content(here).keys()
    write_state(here, 20, "point\npoint\n")
    (here / "checkpoint-00000010.json").unlink()
    (here / "checkpoint-00000010.safetensors").unlink()
    assert store.push(here) > 0
    assert store.fetch("key", there)
    assert content(there / "key") == content(here)
    assert content(here).keys() != before
    stored = store.filesystem.ls(f"{store.folder}/key", detail=False)
    assert len(stored) == len(content(here)) + 1  # the manifest, and nothing of the older checkpoint
    store.remove("key")
    assert store.names() == []
    store.remove("key")


def test_a_state_that_is_further_here_stays(store: StateStore, tmp_path: Path) -> None:
    store.push(write_state(tmp_path / "north" / "key", 10))
    ahead = write_state(tmp_path / "south" / "key", 30)
    before = content(ahead)
    assert not store.fetch("key", tmp_path / "south")
    assert content(ahead) == before
    (tmp_path / "north" / "key" / "finished.json").write_text("{}")
    store.push(tmp_path / "north" / "key")
    assert store.fetch("key", tmp_path / "south")  # a finished one is further than any checkpoint


def test_a_damaged_state_is_refused_and_nothing_here_changes(store: StateStore, tmp_path: Path) -> None:
    store.push(write_state(tmp_path / "north" / "key", 20))
    here = write_state(tmp_path / "south" / "key", 10)
    before = content(here)
    (name,) = (
        entry for entry in store.filesystem.ls(f"{store.folder}/key", detail=False) if store.filesystem.size(entry) == 140
    )  # the weights
    store.filesystem.pipe_file(name, b"something else")
    with pytest.raises(DamagedState, match=r"the digest of checkpoint-00000020.safetensors does not fit its content$"):
        store.fetch("key", tmp_path / "south")
    assert content(here) == before


def test_a_state_that_is_trained_here_is_not_replaced(store: StateStore, tmp_path: Path) -> None:
    store.push(write_state(tmp_path / "north" / "key", 20))
    with lock_folder(tmp_path / "south" / "key"), pytest.raises(WorkspaceBusy):
        store.fetch("key", tmp_path / "south")


def test_a_manifest_that_is_cut_short_is_no_state(store: StateStore, tmp_path: Path) -> None:
    store.push(write_state(tmp_path / "north" / "key", 20))
    store.filesystem.pipe_file(f"{store.folder}/key/manifest.json", b'{"files": {"../../evil": {"sha256": "1"}}}')
    assert not store.fetch("key", tmp_path / "south")
    store.filesystem.pipe_file(f"{store.folder}/key/manifest.json", b'{"files"')
    assert not store.fetch("key", tmp_path / "south")


def test_the_default_remote_is_found_with_its_options_and_local_ones_win(tmp_path: Path) -> None:
    assert default_remote(tmp_path) is None
    (tmp_path / ".dvc").mkdir()
    config = "[core]\n    remote = store\n['remote \"store\"']\n    url = s3://bucket/data\n    endpointurl = http://127.0.0.1:1\n"
    (tmp_path / ".dvc" / "config").write_text(config)
    (tmp_path / ".dvc" / "config.local").write_text("['remote \"store\"']\n    access_key_id = me\n")
    remote = default_remote(tmp_path)
    assert remote is not None
    assert (remote.name, remote.url) == ("store", "s3://bucket/data")
    assert remote.options == {"endpointurl": "http://127.0.0.1:1", "access_key_id": "me"}
    (tmp_path / ".dvc" / "config").write_text("[core]\n    remote = near\n['remote \"near\"']\n    url = ../store\n")
    near = default_remote(tmp_path)
    assert near is not None
    assert open_place(near)[1] == near.url == str(tmp_path / "store")
