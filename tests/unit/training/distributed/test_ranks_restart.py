"""A rank is killed in the middle of a training: the command line as each rank runs it, under the launcher and under torchrun."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.config.settings import Settings
from seq2seq_core.training.data.inputs import read_inputs
from seq2seq_core.training.distributed.launcher import RankFault, run_ranks
from seq2seq_core.training.state.folder_lock import lock_folder
from seq2seq_core.training.state.phase_states import PhaseStates
from tests.unit.training.distributed import rank_programs as programs
from tests.unit.training.distributed.rank_processes import run_on_ranks

ROOT = Path(__file__).resolve().parents[4]
RANK = """
import os, sys
from unittest.mock import patch
from seq2seq_core.cli.main import main
from seq2seq_core.training.trainer import Trainer

update = Trainer._update

def update_and_die(self, *arguments):
    update(self, *arguments)
    if os.environ["TORCHELASTIC_RESTART_COUNT"] == "0" and self.ranks.rank == 1 and self.state.step == 10:
        os.kill(os.getpid(), 9)

sys.argv = ["s2s", "train", "--workspace", sys.argv[1], "--from-scratch"]
with patch.object(Trainer, "_update", update_and_die), patch("seq2seq_core.tracking.session.find_spec", lambda name: None):
    main()
"""


def write_params(paths: Paths, settings: Settings) -> None:
    (paths.root / "dvc.yaml").write_text("stages: {}\n")
    paths.params.write_text(yaml.safe_dump(settings.model_dump(mode="json", by_alias=True)))


@pytest.fixture(scope="module")
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings({"max_steps": 16, "validate_every_steps": 4, "batch_tokens": 100}, num_threads=1)


@pytest.fixture(scope="module")
def whole(settings: Settings, tokenize_words: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A workspace with a finished training on two ranks."""
    paths = Paths(tmp_path_factory.mktemp("whole"))
    paths.tokenized.parent.mkdir()
    paths.tokenized.symlink_to(tokenize_words("char"))
    run_on_ranks(2, programs.train, settings, paths)
    return paths


@pytest.fixture
def killed(settings: Settings, new_workspace: Callable[..., Paths]) -> Paths:
    """A workspace in which the same is to be trained."""
    paths = new_workspace("killed")
    write_params(paths, settings)
    return paths


def check_same_training(whole: Paths, killed: Paths) -> None:
    assert bundle_digest(killed.bundle) == bundle_digest(whole.bundle)
    assert killed.training_curve.read_text() == whole.training_curve.read_text()


@pytest.mark.proof
@pytest.mark.slow
def test_a_killed_rank_costs_a_restart_and_the_weights_are_those_of_an_undisturbed_run(
    whole: Paths, killed: Paths, caplog: pytest.LogCaptureFixture
) -> None:
    run_ranks([sys.executable, "-c", RANK, str(killed.root)], 2, max_restarts=1)
    assert [record.getMessage().partition(" (")[0] for record in caplog.records if record.levelname == "WARNING"] == [
        "rank 1 was killed by SIGKILL"
    ]
    check_same_training(whole, killed)


@pytest.mark.proof
@pytest.mark.slow
def test_under_torchrun_too(whole: Paths, killed: Paths, tmp_path: Path) -> None:
    script = tmp_path / "rank.py"
    script.write_text(RANK)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--max-restarts", "1"]
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": str(ROOT)}
    command = [*torchrun, str(script), str(killed.root)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "failed (exitcode: -9) local_rank: 1" in ended.stderr
    check_same_training(whole, killed)


@pytest.mark.proof
@pytest.mark.slow
def test_what_is_wrong_for_all_ranks_is_said_once_and_by_the_launcher(
    make_settings: Callable[..., Settings], new_workspace: Callable[..., Paths], capfd: pytest.CaptureFixture[str]
) -> None:
    paths, settings = new_workspace("a"), make_settings({"max_steps": 4})
    write_params(paths, settings)
    key = PhaseStates.of(paths.training_state, settings.model, settings.train, read_inputs(paths.tokenized, 5).digests).whole
    with lock_folder(paths.training_state / key.folder_name), pytest.raises(RankFault) as caught:
        run_ranks([sys.executable, "-c", RANK, str(paths.root)], 2, max_restarts=1)
    assert "another training with these settings and data is running here" in str(caught.value)
    assert (caught.value.kind, caught.value.exit_code, caught.value.is_loss) == ("user_fault", 2, False)
    assert "another training" not in capfd.readouterr().err
