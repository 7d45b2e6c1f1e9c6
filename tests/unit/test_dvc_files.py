from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.bundle.served_bundle import find_served_bundle
from seq2seq_core.dvc_files import how_to_make, missing_outputs, read_lock
from seq2seq_core.errors import BundleError, MissingInput

LOCK = {
    "schema": "2.0",
    "stages": {
        "train": {
            "cmd": "s2s train",
            "outs": [{"path": "models/bundle", "md5": "1.dir"}, {"path": "reports/train.json", "md5": "2"}],
        },
        "export": {"cmd": "s2s export", "outs": [{"path": "models/served", "md5": "3.dir"}]},
    },
}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A workspace whose train and export have succeeded once; both models are gone."""
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump(LOCK))
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "train.json").write_text("{}")
    return Paths(tmp_path)


def test_outputs_that_a_success_left_and_that_are_gone_are_missing(paths: Paths) -> None:
    assert missing_outputs(paths.root, "train") == ["models/bundle"]
    assert missing_outputs(paths.root, "prepare") == []
    assert read_lock(paths.root / "reports") == {}


def test_a_missing_model_is_brought_back_by_dvc_where_dvc_has_it(paths: Paths) -> None:
    back = "`dvc checkout models/bundle` brings the last one back, `s2s train` (or `dvc repro train`) makes one anew"
    with pytest.raises(BundleError) as caught:
        read_config(paths.bundle)
    assert str(caught.value) == f"{paths.bundle}: not a model bundle, it has no config.json; {back}"
    with pytest.raises(BundleError) as caught:
        bundle_digest(paths.bundle)
    assert str(caught.value) == f"{paths.bundle}: no such model bundle; {back}"
    with pytest.raises(MissingInput) as missing:
        find_served_bundle(paths)
    assert str(missing.value) == (
        f"{paths.served}: no such model bundle; `dvc checkout models/served` brings the last one back, "
        "`s2s export` (or `dvc repro export`) makes one anew"
    )


def test_a_model_that_dvc_does_not_have_is_made(paths: Paths) -> None:
    (paths.root / "dvc.lock").unlink()
    assert how_to_make(paths.served, "export") == "`s2s export` (or `dvc repro export`) makes one"
    assert how_to_make(paths.root / "mine", "train") == "`s2s train` (or `dvc repro train`) makes one"
    assert how_to_make(Path("/nowhere/bundle"), "train") == "`s2s train` (or `dvc repro train`) makes one"
