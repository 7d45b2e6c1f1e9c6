from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq_core.tracking.mlflow.staging import StagingFolder


def test_a_copy_stays_as_it_was_until_the_folder_is_cleared(tmp_path: Path) -> None:
    source, folder = tmp_path / "a.txt", tmp_path / "b"
    source.write_text("first")
    folder.mkdir()
    (folder / "c.txt").write_text("inside")
    staging = StagingFolder(tmp_path / "staging")
    assert not staging.parent.exists(), "nothing is made before it is needed"
    copies = [staging.copy(source), staging.copy(source), staging.copy(folder)]
    source.write_text("second")
    assert [copy.name for copy in copies] == ["a.txt", "a.txt", "b"]
    assert [copies[0].read_text(), copies[1].read_text(), (copies[2] / "c.txt").read_text()] == ["first", "first", "inside"]
    staging.clear()
    assert list(staging.parent.iterdir()) == []
    assert staging.copy(source).read_text() == "second"


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_has_stays(tmp_path: Path) -> None:
    source, parent = tmp_path / "a.txt", tmp_path / "staging"
    source.write_text("text")
    script = (
        "import os, signal, sys; from pathlib import Path; from seq2seq_core.tracking.mlflow.staging import StagingFolder\n"
        "StagingFolder(Path(sys.argv[2])).copy(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(source), str(parent)], check=False)
    assert len(list(parent.glob("*/*/a.txt"))) == 1
    living = StagingFolder(parent).copy(source)
    StagingFolder(parent)
    assert list(parent.glob("*/*/a.txt")) == [living]


def test_what_cannot_be_copied_is_an_error_of_the_operating_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"nowhere\.txt"):
        StagingFolder(tmp_path / "staging").copy(tmp_path / "nowhere.txt")
