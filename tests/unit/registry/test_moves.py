from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.config_file import WEIGHTS_FILE
from seq2seq_core.bundle.model_seal import BUNDLE_PATH
from seq2seq_core.cli.main import app
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import BundleError, UserError
from seq2seq_core.registry.ledger_writing import current_champion, read_ledger
from seq2seq_core.registry.moves import force_version, promote_version, read_history, roll_back
from seq2seq_core.registry.promotion import _earlier
from seq2seq_core.registry.registration import register_bundle
from seq2seq_core.registry.versions import find_number, logged_model_id
from seq2seq_core.tracking.mlflow.store import connect

pytestmark = pytest.mark.usefixtures("light_registration")

PARAMS = """
corpus: {path: data/raw/dates, files: {train: [train.tsv]}}
register: {model_name: dates, gate: {minimum_rows: 4}}
evaluate: {beam_size: 2}
runtime: {device: cpu, progress: plain}
"""


@pytest.fixture
def two_versions(tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]) -> Paths:
    """Version 1 is the champion by force, version 2 the challenger; both answer as they were evaluated: nothing right."""
    for seed in (1, 2):
        make_bundle(tracked_paths, seed, right=None)
        register_bundle(tracked_settings, tracked_paths)
        if seed == 1:
            force_version("1", "the first one", tracked_settings, tracked_paths)
    (tracked_paths.root / "dvc.yaml").write_text("stages: {}\n")
    tracked_paths.params.write_text(PARAMS)
    return tracked_paths


def champion(paths: Paths) -> str:
    return current_champion(connect(paths), "dates")


def model_folder(paths: Paths, number: str) -> Path:
    version = find_number(connect(paths), "dates", number)
    assert version is not None
    model: Any = connect(paths).get_logged_model(logged_model_id(version) or "")
    return Path(model.artifact_location.removeprefix("file://"))


def test_a_forced_promotion_and_the_way_back_are_in_the_history(two_versions: Paths, tracked_settings: Settings) -> None:
    force_version("2", "a customer asked", tracked_settings, two_versions)
    assert champion(two_versions) == "2"
    assert roll_back("", "", tracked_settings, two_versions).champion == "1"
    assert champion(two_versions) == "1"
    moves = [entry for entry in read_history("dates", two_versions) if entry.is_move]
    assert [(entry.kind, entry.before, entry.champion, entry.reason) for entry in moves] == [
        ("forced", "", "1", "the first one"),
        ("forced", "1", "2", "a customer asked"),
        ("rolled back", "2", "1", "back from version 2"),
    ]
    assert all("@" in entry.who and entry.when for entry in moves)


@pytest.mark.parametrize("damage", ["weights", "config", "answers", "files"])
def test_a_damaged_version_never_gets_the_alias(damage: str, two_versions: Paths, tracked_settings: Settings) -> None:
    shutil.rmtree(two_versions.fetched_bundles)
    folder = model_folder(two_versions, "2")
    match damage:
        case "weights":
            file = folder / BUNDLE_PATH / WEIGHTS_FILE
            file.write_bytes(file.read_bytes()[:-1] + b"\0")
        case "config":
            file = folder / BUNDLE_PATH / "config.json"
            file.write_text(file.read_text().replace('"beam_size": 2', '"beam_size": 3'))
        case "answers":
            file = folder / "artifacts" / "parity.json"
            rows = json.loads(file.read_text())
            rows[0]["prediction"] += "!"
            file.write_text(json.dumps(rows))
        case _:
            shutil.rmtree(folder / BUNDLE_PATH)
    for move in (roll_back, force_version):
        with pytest.raises((BundleError, UserError), match=r"version 2 of 'dates'|No such artifact|refuses"):
            move("2", "why", tracked_settings, two_versions)
    assert champion(two_versions) == "1"
    assert [entry.kind for entry in read_history("dates", two_versions) if entry.is_move] == ["forced"]


def test_the_same_evidence_is_not_another_comparison_although_scores_are_rounded(
    two_versions: Paths, tracked_settings: Settings
) -> None:
    before = len(read_history("dates", two_versions))
    receipt = promote_version("2", tracked_settings, two_versions, is_first=False)
    assert len(read_history("dates", two_versions)) == before
    ledger = read_ledger(connect(two_versions), "dates")
    assert _earlier(ledger, replace(receipt, score=receipt.score + 4e-7), is_first=False) is not None
    assert _earlier(ledger, replace(receipt, score=receipt.score + 1e-3), is_first=False) is None


def test_the_gate_decides_on_a_registered_version(two_versions: Paths, tracked_settings: Settings) -> None:
    receipt = promote_version("2", tracked_settings, two_versions, is_first=False)
    assert (receipt.decision, receipt.champion_version) == ("challenger", "1")
    assert champion(two_versions) == "1"


def test_the_first_after_a_removed_alias_needs_a_word(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_bundle(tracked_paths, 1, 0.5)
    register_bundle(tracked_settings, tracked_paths)
    connect(tracked_paths).delete_registered_model_alias("dates", "champion")
    make_bundle(tracked_paths, 2, 1.0)
    assert register_bundle(tracked_settings, tracked_paths).receipt.decision == "challenger"
    monkeypatch.setattr("seq2seq_core.registry.moves.check_parity", lambda *_: 8)  # the answers of this evaluation were made up
    assert promote_version("2", tracked_settings, tracked_paths, is_first=False).decision == "challenger"
    assert promote_version("2", tracked_settings, tracked_paths, is_first=True).decision == "champion"
    assert champion(tracked_paths) == "2"


def run(paths: Paths, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*words, "--workspace", str(paths.root)])
    return result.exit_code, result.output


def test_the_commands_say_what_they_did(two_versions: Paths) -> None:
    assert run(two_versions, "promote", "2", "--reason", "mine")[1].startswith("error: --reason is for --force: ")
    assert run(two_versions, "promote", "2", "--force")[1].startswith("error: --force needs --reason: expected one sentence")
    code, output = run(two_versions, "promote", "models:/dates/2")
    assert code == 2
    assert output.strip().splitlines()[-1].startswith("version 2 of dates: challenger: Not promoted: exact_match 0 against")
    code, output = run(two_versions, "promote", "2", "--force", "--reason", "we want it")
    assert (code, output.strip().splitlines()[-1]) == (0, "version 2 of dates is the champion in place of version 1: we want it")
    assert run(two_versions, "promote", "2", "--force", "--reason", "again")[1].endswith("is the champion already\n")
    assert run(two_versions, "rollback")[0] == 0
    assert champion(two_versions) == "1"
    code, output = run(two_versions, "history")
    assert code == 0
    assert [line.split()[2:5] for line in output.splitlines()[1:]] == [
        ["forced", "1", "-"],
        ["forced", "2", "1"],
        ["rolled", "back", "1"],
    ]
    lines = run(two_versions, "history", "--json", "--all", "-n", "1")[1].splitlines()
    assert [json.loads(line)["champion"] for line in lines] == ["1"]
    assert run(two_versions, "rollback", "9")[1].startswith("error: the model 'dates' has no version 9 in sqlite:///mlflow.db")
    assert "'times' has" not in run(two_versions, "promote", "models:/dates/9")[1]
