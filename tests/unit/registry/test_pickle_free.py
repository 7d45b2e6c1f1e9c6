"""Nothing that happens to a version unpickles: with every door of pickle locked, all of it still works."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.registry.registration import register_bundle

ROOT = Path(__file__).resolve().parents[3]
PARAMS = """
corpus: {path: data/raw/dates, files: {train: [train.tsv]}}
register: {model_name: dates, gate: {minimum_rows: 4}}
evaluate: {beam_size: 2}
runtime: {device: cpu, progress: plain}
"""
PROGRAM = """
import pickle, sys
from pathlib import Path

def refuse(*_, **__):
    raise AssertionError("something was unpickled")

pickle.load = pickle.loads = refuse
import torch
torch.load = refuse
import cloudpickle
cloudpickle.load = cloudpickle.loads = refuse
try:
    pickle.loads(b"N.")
except AssertionError:
    print("locked")

from typer.testing import CliRunner
from seq2seq_core.cli.main import app

root = sys.argv[1]
for words in (
    ["register"], ["history", "--all"], ["promote", "2", "--force", "--reason", "why not"], ["promote", "1"], ["rollback", "1"],
    ["predict", "--model", "models:/dates@champion", root + "/params.yaml"], ["predict", root + "/params.yaml"],
):
    result = CliRunner().invoke(app, [*words, "--workspace", root])
    print(*words[:2], result.exit_code)
    if result.exit_code not in (0, 2) or "unpickled" in result.output:
        print(result.output, repr(result.exception))

import mlflow.pyfunc, pandas
model = mlflow.pyfunc.load_model("models:/dates@champion")
print(len(model.predict(pandas.DataFrame({"source": ["3 May 2031"]}))))
"""


@pytest.mark.proof
@pytest.mark.slow
def test_with_pickle_locked_every_command_about_versions_works(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]
) -> None:
    make_bundle(tracked_paths, 1, right=None)
    register_bundle(tracked_settings, tracked_paths)
    make_bundle(tracked_paths, 2, right=None)
    tracked_paths.params.write_text(PARAMS)
    (tracked_paths.root / "dvc.yaml").write_text("stages: {}\n")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(tracked_paths.root)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tracked_paths.root, check=False)
    assert done.stdout.splitlines() == [
        "locked", "register 0", "history --all 0", "promote 2 0", "promote 1 2", "rollback 1 0", "predict --model 0",
        f"predict {tracked_paths.params} 0", "1",
    ], done.stdout + done.stderr  # fmt: skip
