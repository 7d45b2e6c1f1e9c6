"""What a stage keeps at its success, and the reasons that the next execution finds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.stage_history.executions import ASKED_FOR, read_execution, remembered
from seq2seq_core.stage_history.input_listing import FileStates, list_input

GRAPH = "stages:\n  validate:\n    cmd: x\n    deps: ['${corpus.path}']\n    params: [corpus, validate]\n    outs: [out]\n"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    (tmp_path / "dvc.yaml").write_text(GRAPH)
    (tmp_path / "params.yaml").write_text("corpus: {path: data}\nvalidate: {examples: 5}\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.tsv").write_text("a\tb\nc\td\n")
    return Paths(tmp_path)


def run(paths: Paths) -> list[str]:
    """An execution, with the lock that DVC writes behind it; returns why it ran."""
    with remembered("validate", paths, paths) as reasons:
        pass
    listing = list_input(paths.root / "data", FileStates(paths))
    assert listing is not None
    params = "corpus: {path: data}\n        validate: {examples: 5}"
    dep = f"{{path: data, md5: {listing.digest}}}"
    lock = f"stages:\n  validate:\n    deps: [{dep}]\n    params:\n      params.yaml:\n        {params}\n"
    (paths.root / "dvc.lock").write_text(lock)
    return [reason.text for reason in reasons]


def test_each_execution_finds_what_has_changed_since_the_last_success(paths: Paths) -> None:
    assert run(paths) == ["never run"]
    assert run(paths) == []
    last = read_execution("validate", paths)
    assert last is not None
    assert last.why == (ASKED_FOR,)

    (paths.root / "data" / "train.tsv").write_text("a\tb\nc\te\nf\tg\n")
    paths.params.write_text("corpus: {path: data}\nvalidate: {examples: 7}\n")
    found = ["validate.examples: 5 → 7", "data/train.tsv: 1 row added (line 3), 1 row changed (line 2)"]
    with pytest.raises(KeyError), remembered("validate", paths, paths):
        raise KeyError  # a failure leaves the last success as it was
    assert read_execution("validate", paths) == last
    assert run(paths) == found
    (paths.root / "data" / "train.tsv").rename(paths.root / "data" / "more.tsv")
    assert run(paths)[1:] == ["data/more.tsv is data/train.tsv with another name"]


def test_what_is_kept_nowhere_is_said_to_be_unknown(paths: Paths) -> None:
    run(paths)
    (paths.root / "data" / "train.tsv").write_text("x")
    for file in paths.kept_inputs.iterdir():
        file.unlink()
    assert run(paths) == ["data has changed (its earlier files are not kept here)"]


def test_a_damaged_record_and_a_command_that_is_no_stage_are_left_alone(paths: Paths) -> None:
    with remembered("ablate", paths, paths) as reasons:
        assert reasons == []
    assert not paths.executions.exists()
    run(paths)
    (paths.executions / "validate.json").write_text(json.dumps({"stage": "validate"}))
    assert read_execution("validate", paths) is None
