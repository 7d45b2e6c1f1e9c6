from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.cli import initial_weights_option as command
from seq2seq_core.cli.initial_weights_option import pin_initial_weights
from seq2seq_core.cli.main import app
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.errors import BundleError, UserError
from seq2seq_core.registry.registration import register_bundle
from seq2seq_core.registry.versions import find_number, logged_model_id
from seq2seq_core.tracking.mlflow.store import connect
from tests.unit.conftest import write_evaluation_of

pytestmark = pytest.mark.usefixtures("light_registration")


def train_settings(**train: Any) -> Settings:
    sections = {"corpus": {"path": "x", "files": {"train": ["t.tsv"]}}, "register": {"model_name": "dates"}, "train": train}
    return parse_settings(sections, "test")


@pytest.mark.parametrize("reference", ["models:/dates@champion", "models:/dates/1"])
def test_a_registered_version_is_fetched_and_named_by_its_number(registered_paths: Paths, reference: str) -> None:
    digest = bundle_digest(registered_paths.served)
    settings, initial = pin_initial_weights(train_settings(initial_weights=reference), registered_paths)
    assert initial is not None
    assert (initial.digest, initial.origin) == (digest, "models:/dates/1")
    assert bundle_digest(initial.folder) == digest
    assert settings.train.initial_digest == digest


def test_the_bundle_in_an_artifact_of_a_run_is_fetched(registered_paths: Paths) -> None:
    client = connect(registered_paths)
    experiment = client.create_experiment("kept", artifact_location=str(registered_paths.root / "kept"))
    run_id = str(client.create_run(experiment).info.run_id)
    client.log_artifacts(run_id, str(registered_paths.served), "kept/bundle")
    reference = f"runs:/{run_id}/kept/bundle"
    _, initial = pin_initial_weights(train_settings(initial_weights=reference), registered_paths)
    assert initial is not None
    assert (initial.digest, initial.origin) == (bundle_digest(registered_paths.served), reference)
    with pytest.raises(BundleError, match=r"runs:/\w+/kept holds no bundle; expected config\.json there or in artifacts/bundle$"):
        pin_initial_weights(train_settings(initial_weights=f"runs:/{run_id}/kept"), registered_paths)


def test_a_pinned_bundle_that_was_fetched_needs_no_mlflow(registered_paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = "models:/dates@champion"
    settings, first = pin_initial_weights(train_settings(initial_weights=reference), registered_paths)
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    _, second = pin_initial_weights(settings, registered_paths)
    assert first is not None
    assert second is not None
    assert second.folder == first.folder
    message = (
        "train.initial_weights: models:/dates@champion is in MLflow, which is not installed here; expected a bundle's folder, or "
        "train.initial_digest and that bundle in .s2s/bundles/DIGEST"
    )
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        pin_initial_weights(train_settings(initial_weights=reference), registered_paths)
    shutil.rmtree(first.folder)
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        pin_initial_weights(settings, registered_paths)


def test_a_version_of_another_digest_is_refused(registered_paths: Paths) -> None:
    digest = bundle_digest(registered_paths.served)
    message = (
        f"train.initial_digest: models:/dates@champion (models:/dates/1) has the digest {digest}, expected {'1' * 64}; give its "
        "digest to begin with it instead"
    )
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        pin_initial_weights(train_settings(initial_weights="models:/dates@champion", initial_digest="1" * 64), registered_paths)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("models:/dates@best", r"^models:/dates@best: the model 'dates' has no alias 'best'; it has: champion$"),
        ("runs:/abc", r"^train\.initial_weights: runs:/abc: not an artifact of a run; expected runs:/RUN/PATH$"),
    ],
)
def test_what_is_not_there_is_named(registered_paths: Paths, reference: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        pin_initial_weights(train_settings(initial_weights=reference), registered_paths)


def test_a_version_names_the_bundle_that_its_training_began_with(
    registered_paths: Paths, make_settings: Callable[..., Settings]
) -> None:
    file = registered_paths.served / "config.json"
    content = json.loads(file.read_text())
    content["data_digests"]["initial_bundle"] = "a" * 64
    file.write_text(json.dumps(content))
    pairs = [json.loads(line) for line in registered_paths.prepared_split("test").read_text().splitlines()]
    write_evaluation_of(registered_paths, pairs, 0.5)
    assert register_bundle(make_settings(), registered_paths).receipt.version == "2"
    client, found = connect(registered_paths), []
    for number in "12":
        version = find_number(client, "dates", number)
        assert version is not None
        found.append(client.get_logged_model(logged_model_id(version) or "").tags.get("initial_bundle_digest"))
    assert found == [None, "a" * 64]


def test_the_command_train_says_what_is_wrong_with_the_initial_weights(registered_paths: Paths) -> None:
    sections = {
        "corpus": {"path": "x", "files": {"train": ["t.tsv"]}},
        "register": {"model_name": "dates"},
        "train": {"initial_weights": "models:/dates/7"},
    }
    (registered_paths.root / "dvc.yaml").write_text("stages: {}\n")
    registered_paths.params.write_text(yaml.safe_dump(sections))
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    result = CliRunner().invoke(app, ["train", "--workspace", str(registered_paths.root)])
    for number, handler in before.items():
        signal.signal(number, handler)
    assert result.exit_code == 2
    assert "models:/dates/7: the model 'dates' has no version 7" in result.output
