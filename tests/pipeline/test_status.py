"""The state of a clone in which nothing was run, with everything wrong that can be, and no server that answers."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable, Iterator

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.outcome import Outcome, write_outcome
from seq2seq_core.tracking.mlflow.outbox import Addressee, Outbox
from seq2seq_core.tracking.mlflow.records import Record
from tests.pipeline.conftest import Workspace

pytestmark = pytest.mark.slow

DEAD = 2**22 + 1
"""No process has this number: it is above the kernel's largest."""


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def _break(workspace: Workspace) -> None:
    """What kills, faults and lost servers leave behind."""
    paths = Paths(workspace.root)
    shutil.rmtree(workspace.root / "data" / "raw" / "digits")
    write_outcome(paths.outcomes, Outcome("validate", "user_fault", "train.tsv:7: is wrong", 2, False, DEAD))
    write_outcome(paths.outcomes, Outcome("train", "running", "", -1, True, DEAD))
    outbox = Outbox(paths.mlflow_outbox, Addressee("http://mlflow", "1"))
    outbox.add(Record("tags", {"one": "1"}))
    outbox.close(is_sent=False)
    (paths.work / "params.original.yaml").write_text("{}")
    lock = {"write": {"data": {"pid": DEAD, "cmd": "dvc repro"}}, "read": {}}
    (workspace.root / ".dvc" / "tmp").mkdir(exist_ok=True)
    (workspace.root / ".dvc" / "tmp" / "rwlock").write_text(json.dumps(lock))


def test_a_fresh_clone_has_a_state_whatever_is_wrong_and_whoever_is_silent(
    make_workspace: Callable[[str], Workspace], silent_server: str
) -> None:
    workspace = make_workspace("fresh")
    _break(workspace)
    workspace.environment["PREFECT_API_URL"] = f"{silent_server}/api"
    workspace.environment["MLFLOW_TRACKING_URI"] = silent_server
    done = workspace.call("status", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert {stage["state"] for stage in found["plan"]["stages"]} == {"runs"}
    assert {reason["text"] for stage in found["plan"]["stages"] for reason in stage["reasons"]} == {"never run"}
    assert (found["champion"], found["prefect"], found["at_work"]) == (None, None, "")
    texts = [trouble["text"] for trouble in found["troubles"]]
    assert all(trouble["mend"] for trouble in found["troubles"])
    assert sum(text.startswith(("MLflow: ", "Prefect: ")) for text in texts) == 2
    expected = {
        "data/raw/digits is missing, which prepare reads",
        "validate failed (user fault): train.tsv:7: is wrong",
        f"train was killed (process {DEAD})",
        "1 records of 1 run(s) wait for MLflow in .s2s/mlflow_outbox",
        "params.yaml has the settings of a run that was killed",
        f"process {DEAD}, which is dead, has DVC locks (dvc repro)",
    }
    assert expected - {*texts} == set(), texts


def test_faulty_settings_are_part_of_the_state(make_workspace: Callable[[str], Workspace]) -> None:
    workspace = make_workspace("faulty")
    workspace.change("train", max_steps="many")
    done = workspace.call("status")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == f"digits, in {workspace.root}"
    assert "stages:    what would run is not known" in lines
    assert any("train.max_steps" in line for line in lines[lines.index("wrong:") :])
