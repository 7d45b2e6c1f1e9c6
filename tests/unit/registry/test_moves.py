from __future__ import annotations

import hashlib
import json
import re
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
from seq2seq_core.config.settings import Settings, load_settings
from seq2seq_core.errors import BundleError, UserError
from seq2seq_core.registry import ledger_writing, promotion, version_record
from seq2seq_core.registry.ledger_writing import read_ledger
from seq2seq_core.registry.moves import force_version, promote_version, read_history, roll_back
from seq2seq_core.registry.outputs import read_rows
from seq2seq_core.registry.promotion import _earlier
from seq2seq_core.registry.receipts import Receipt, write_receipt
from seq2seq_core.registry.registration import register_bundle
from seq2seq_core.registry.versions import current_champion, find_number, logged_model_id
from seq2seq_core.serving.loading import find_bundle
from seq2seq_core.tracking.mlflow.store import connect
from tests.unit.registry.dying_client import Killed

pytestmark = pytest.mark.usefixtures("light_registration")

PARAMS = """
corpus: {path: data/raw/dates, files: {train: [train.tsv]}}
register: {model_name: dates, gate: {minimum_rows: 4}}
evaluate: {beam_size: 2}
runtime: {device: cpu, progress: plain}
"""


@pytest.fixture(scope="module")
def template(
    tmp_path_factory: pytest.TempPathFactory,
    mlflow_template: Path,
    make_bundle: Callable[..., None],
    make_settings: Callable[..., Settings],
) -> Path:
    """Version 1 is the champion by force, version 2 the challenger; both answer as they were evaluated: nothing right."""
    paths = Paths(tmp_path_factory.mktemp("moves"))
    shutil.copy(mlflow_template, paths.mlflow_database)
    (paths.root / "dvc.yaml").write_text("stages: {}\n")
    paths.params.write_text(PARAMS)
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        for seed in (1, 2):
            make_bundle(paths, seed, right=None)
            register_bundle(make_settings(), paths)
            if seed == 1:
                force_version("1", "the first one", make_settings(), paths)
    return paths.root


@pytest.fixture
def two_versions(template: Path, tmp_path: Path, no_outer_run: None, no_known_places: None) -> Paths:
    """A copy of that workspace."""
    shutil.copytree(template, tmp_path / "copy")
    connect(paths := Paths(tmp_path / "copy"))  # corrects where the artifacts are, and says so
    return paths


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
    ruling = promote_version("2", tracked_settings, two_versions, is_first=False)
    assert not ruling.counted
    receipt = ruling.receipt
    assert len(read_history("dates", two_versions)) == before
    ledger = read_ledger(connect(two_versions), "dates")
    assert _earlier(ledger, replace(receipt, score=receipt.score + 4e-7), is_first=False) is not None
    assert _earlier(ledger, replace(receipt, score=receipt.score + 1e-3), is_first=False) is None


def test_the_gate_decides_on_a_registered_version(two_versions: Paths, tracked_settings: Settings) -> None:
    receipt = promote_version("2", tracked_settings, two_versions, is_first=False).receipt
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
    assert promote_version("2", tracked_settings, tracked_paths, is_first=False).receipt.decision == "challenger"
    assert promote_version("2", tracked_settings, tracked_paths, is_first=True).receipt.decision == "champion"
    assert champion(tracked_paths) == "2"


def run(paths: Paths, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*words, "--workspace", str(paths.root)])
    return result.exit_code, result.output


def test_the_commands_say_what_they_did(two_versions: Paths) -> None:
    assert run(two_versions, "promote", "2", "--reason", "mine")[1].startswith("error: --reason is for --force: ")
    assert run(two_versions, "promote", "2", "--force")[1].startswith("error: --force needs --reason: expected one sentence")
    code, output = run(two_versions, "promote", "models:/dates/2")
    assert code == 2
    said, counted = output.strip().splitlines()[-2:]
    assert said.startswith("version 2 of dates: challenger: Not promoted: exact_match 0 against")
    assert counted == "no new comparison: nothing more of the test set's error rate is spent"
    code, output = run(two_versions, "promote", "2", "--force", "--reason", "we want it")
    assert (code, output.strip().splitlines()[-1]) == (0, "version 2 of dates is the champion in place of version 1: we want it")
    again = run(two_versions, "promote", "2", "--force", "--reason", "again")[1]
    assert again.endswith("already; nothing moved, and nothing is recorded\n")
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
    code, output = run(two_versions, "history", "99")
    assert (code, output.strip().endswith("has no version 99 in sqlite:///mlflow.db; it has: 2, 1")) == (2, True)
    assert run(two_versions, "rollback", "9")[1].startswith("error: the model 'dates' has no version 9 in sqlite:///mlflow.db")
    assert "'times' has" not in run(two_versions, "promote", "models:/dates/9")[1]


def pages(paths: Paths, number: str) -> tuple[str, str, str, str]:
    """What a version says of itself: its tag, the first line and the second paragraph of its description, and its card's lead."""
    version = find_number(connect(paths), "dates", number)
    assert version is not None
    first, _, rest = (version.description or "").partition("\n\n")
    lead = (model_folder(paths, number) / "model_card.md").read_text(encoding="utf-8").split("\n\n")[1].strip("*")
    return version.tags["decision"], first.rpartition(": ")[2], rest.partition("\n\n")[0], lead


def test_after_each_move_both_versions_say_what_they_are(two_versions: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, client = two_versions, connect(two_versions)
    who = read_history("dates", paths)[-1].who
    kept = pages(paths, "2")
    assert kept[:2] == ("challenger", "challenger")
    assert kept[2] in kept[3]
    assert pages(paths, "1")[3].startswith(f"Champion since {pages(paths, '1')[2].split()[2]} ")
    assert run(paths, "promote", "@challenger", "--force", "--reason", "a customer asked")[0] == 0
    for version, word, beginning in (
        ("2", "champion", rf"Champion since \d{{4}}-[-\d: ]+ UTC: {who} forced version 2: a customer asked\."),
        ("1", "former champion", rf"Was champion until \d{{4}}-[-\d: ]+ UTC: {who} forced version 2: a customer asked\."),
    ):
        tag, last_word, paragraph, lead = pages(paths, version)
        assert (tag, last_word) == (word, word)
        assert re.fullmatch(beginning, paragraph)
        assert re.match(beginning, lead)
        found = find_number(client, "dates", version)
        description = (found.description if found else None) or ""
        assert "Not promoted: exact_match 0" in description, "what the gate said stays"
        assert "model_card.html" in description
    assert client.get_registered_model("dates").aliases == {"champion": 2}

    # A writer that dies once the alias is set leaves the pages to whoever looks next.
    with monkeypatch.context() as dying:
        dying.setattr(ledger_writing, "restate", lambda *_: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            roll_back("", "", load_settings(paths.params), paths)
    assert (champion(paths), pages(paths, "1")[0]) == ("1", "former champion")
    assert run(paths, "history")[0] == 0
    assert [pages(paths, number)[:2] for number in "12"] == [("champion",) * 2, ("former champion",) * 2]
    assert f"{who} went back to version 1: back from version 2." in pages(paths, "2")[3]

    # A move by MLflow's own page is adopted, and the same pages follow.
    client.set_registered_model_alias("dates", "champion", "2")
    assert run(paths, "history", "@champion")[0] == 0
    assert pages(paths, "2")[2].endswith("the alias was given to version 2 without this ledger.")
    assert pages(paths, "1")[1] == "former champion"


@pytest.mark.proof
def test_the_same_evidence_is_counted_once_whoever_held_the_alias(two_versions: Paths, tracked_settings: Settings) -> None:
    paths = two_versions
    look, sketch = 2, read_rows(tracked_settings, paths).sketch
    for _ in range(2):
        force_version("2", "a look", tracked_settings, paths)
        assert roll_back("1", "", tracked_settings, paths).champion == "1"
        ruling = promote_version("2", tracked_settings, paths, is_first=False)
        assert not ruling.counted
        assert (ruling.receipt.figures["look"], ruling.receipt.figures["looks"]) == (look, look)
        assert "The same evidence was counted before, so nothing new is spent." in ruling.receipt.reason
    ledger = read_ledger(connect(paths), "dates")
    assert (len(ledger.entries), ledger.looks(sketch)) == (3 + 2 * 3, look)
    assert pages(paths, "2")[0] == "challenger"

    # The other way round is another hypothesis, and so is another margin.
    force_version("2", "for good", tracked_settings, paths)
    assert promote_version("1", tracked_settings, paths, is_first=False).counted
    gate = tracked_settings.register_.gate.model_copy(update={"margin": 0.01})
    other = tracked_settings.model_copy(update={"register_": tracked_settings.register_.model_copy(update={"gate": gate})})
    assert promote_version("1", other, paths, is_first=False).counted
    assert read_ledger(connect(paths), "dates").looks(sketch) == look + 2


def test_a_version_that_holds_the_alias_already_is_no_fault(two_versions: Paths) -> None:
    paths, number = two_versions, len(read_history("dates", two_versions))
    digest = find_number(connect(paths), "dates", "1").tags["bundle_digest"]  # type: ignore[union-attr]
    for words in (
        ("promote", "1"), ("promote", "@champion"), ("promote", digest[:8], "--force", "--reason", "x"), ("rollback", "1"),
        ("rollback", "@champion"), ("rollback", f"X-S2S-Model: models:/dates/1; bundle_digest={digest}"),
    ):  # fmt: skip
        code, output = run(paths, *words)
        assert code == 0, output
        assert "already" in output
    assert len(read_history("dates", paths)) == number
    assert find_bundle("@champion", paths).name == digest
    for command in ("promote", "rollback"):
        assert "also where it was already" in " ".join(run(paths, command, "--help")[1].replace("│", " ").split())
    for command in ("promote", "rollback", "history", "sign", "lineage", "reproduce"):
        shown = " ".join(run(paths, command, "--help")[1].replace("│", " ").split())
        assert "its number, @ALIAS, models:/NAME/VERSION or models:/NAME@ALIAS" in shown, command


def test_a_rollback_without_a_champion_before_names_versions_that_exist(two_versions: Paths) -> None:
    assert run(two_versions, "rollback")[1].startswith("error: version 1 of 'dates' was the first champion, and no other version")
    run(two_versions, "promote", "2", "--force", "--reason", "x")
    assert run(two_versions, "rollback")[0] == 0
    code, output = run(two_versions, "rollback")
    assert code == 2
    assert output.strip().endswith("none before it; later champions: 2; expected one of these, as in `s2s rollback 2`")
    assert run(two_versions, "rollback", "7")[1].strip().endswith("it has: 2, 1")


@pytest.mark.proof
def test_an_edited_test_set_is_refused_by_every_command_that_would_score_on_it(
    two_versions: Paths, tracked_settings: Settings
) -> None:
    paths, test = two_versions, two_versions.prepared_split("test")
    content = test.read_bytes()
    paths.prepare_report.write_text(json.dumps({"test": {"sha256": hashlib.sha256(content).hexdigest()}}))
    assert promote_version("2", tracked_settings, paths, is_first=False).receipt.decision == "challenger"
    test.write_bytes(content.replace(b"2031-05-03", b"2031-05-04", 1))
    number = len(read_history("dates", paths))
    code, output = run(paths, "promote", "2")
    assert code == 2
    assert f"{test}: has changed since `s2s prepare` wrote it: its SHA-256 is " in output
    with pytest.raises(UserError, match="has changed since `s2s prepare` wrote it"):
        register_bundle(tracked_settings, paths)
    assert (champion(paths), len(read_history("dates", paths))) == ("1", number)

    # By force nothing is compared, which is said.
    code, output = run(paths, "promote", "2", "--force", "--reason", "x")
    assert (code, champion(paths)) == (0, "2")
    said = " ".join(output.split())
    assert f"{test}: has changed since `s2s prepare` wrote it: its SHA-256 is " in said
    assert "a forced promotion compares nothing" in said
    assert run(paths, "rollback")[0] == 0

    # Without a record of the digest, the version's last decision still tells.
    paths.prepare_report.unlink()
    assert "the last decision on version 2 was on another test set" in run(paths, "promote", "2")[1]


def test_an_alias_that_was_removed_elsewhere_is_given_back(two_versions: Paths) -> None:
    connect(two_versions).delete_registered_model_alias("dates", "champion")
    code, output = run(two_versions, "history", "1", "--limit", "1")
    assert code == 0
    assert output.splitlines()[-1].split()[2:5] == ["removed", "-", "1"]
    assert output.splitlines()[-1].endswith("the alias was removed from version 1 without this ledger")
    shown = json.loads(run(two_versions, "history", "--json", "-n", "1")[1].splitlines()[-1])
    assert (shown["kind"], shown["version"], shown["champion"], shown["before"]) == ("removed", "", "", "1")
    code, output = run(two_versions, "rollback")
    said = "version 1 of dates is the champion: the alias is given back to version 1, which lost it without this ledger"
    assert (code, output.splitlines()[-1]) == (0, said)


def test_a_decision_that_is_written_late_says_what_another_writer_made_of_the_version(
    two_versions: Paths, tracked_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, forced = version_record.record_decision, iter([True])

    def write_late(*arguments: Any) -> None:
        if next(forced, False):
            force_version("2", "meanwhile", tracked_settings, two_versions)
        write(*arguments)

    monkeypatch.setattr(promotion, "record_decision", write_late)
    promote_version("2", tracked_settings, two_versions, is_first=False)
    assert champion(two_versions) == "2"
    version = find_number(connect(two_versions), "dates", "2")
    assert version is not None
    assert version.tags["decision"] == "champion"
    assert version.description is not None
    assert version.description.splitlines()[0].endswith(": champion")
    assert "Champion since" in version.description
    assert "challenger" not in connect(two_versions).get_registered_model("dates").aliases


def test_the_state_of_a_moved_workspace_has_its_last_run_and_no_lost_version_that_was_promoted(
    two_versions: Paths, tracked_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def status() -> dict[str, Any]:
        done = CliRunner().invoke(app, ["status", "--json", "--workspace", str(two_versions.root)])
        found: dict[str, Any] = json.loads(done.stdout)
        return found | {"texts": " ".join(trouble["text"] for trouble in found["troubles"])}

    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(two_versions.root / "prefect"))
    client, name = connect(two_versions), tracked_settings.runtime.experiment
    known = client.get_experiment_by_name(name)
    experiment = known.experiment_id if known is not None else client.create_experiment(name)
    client.create_run(experiment, tags={"kind": "graph", "workspace": "/where/it/was"}, run_name="graph of before")
    receipt = Receipt(
        registry="sqlite:///mlflow.db", model_name="dates", version="2", bundle_digest="ab", decision="challenger",
        reason="no better", metric="exact_match", score=0.0, champion_version="1", champion_score=0.0,
        test_digest="cd", policy_digest="ef",
    )  # fmt: skip
    write_receipt(receipt, two_versions)
    before = status()
    assert "the last version, 2, is no champion: no better" in before["texts"]
    assert before["champion"]["version"] == "1"
    assert before["champion"]["last_run"].startswith("graph of before, running, ")
    force_version("2", "a customer asked", tracked_settings, two_versions)
    assert "is no champion" not in status()["texts"]
