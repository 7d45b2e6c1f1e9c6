"""A version whose files are not those of its registration, or are not signed, is neither served nor promoted nor loaded."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle import load_bundle, save_bundle
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.cli.main import app
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.errors import BundleError, UserError
from seq2seq_core.registry.bundles import fetch_bundle
from seq2seq_core.registry.initial_weights import fetch_initial_bundle
from seq2seq_core.registry.moves import force_version, roll_back
from seq2seq_core.registry.parity import check_parity
from seq2seq_core.registry.registration import register_bundle
from seq2seq_core.registry.stored_model import check_stored_model, sign_version
from seq2seq_core.registry.versions import find_version, logged_model_id
from seq2seq_core.tracking.mlflow.store import connect
from tests.keys import write_keys

PARAMS = """
corpus: {path: data/raw/dates, files: {train: [train.tsv]}}
register: {model_name: dates, gate: {minimum_rows: 4}}
evaluate: {beam_size: 2}
runtime: {device: cpu, progress: plain}
"""
REFERENCE = "models:/dates/1"


def model_folder(paths: Paths) -> Path:
    model: Any = connect(paths).get_logged_model(logged_model_id(find_version(REFERENCE, paths)) or "")
    return Path(model.artifact_location.removeprefix("file://"))


def replace(file: Path, old: str, new: str) -> None:
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def append(file: Path) -> None:
    file.write_text(file.read_text() + "\n")


def run(paths: Paths, *words: str) -> tuple[int, str]:
    (paths.root / "dvc.yaml").write_text("stages: {}\n")
    if not paths.params.exists():
        paths.params.write_text(PARAMS)
    result = CliRunner().invoke(app, [*words, "--workspace", str(paths.root)])
    return result.exit_code, result.output


def exchange_bundle(model: Path) -> None:
    """Another whole bundle, with digests of its own that agree, in the metadata too."""
    place = model / "artifacts" / "bundle"
    old, bundle, config = bundle_digest(place), load_bundle(place), read_config(place)
    bundle.only_model.output.bias.data += 1
    assert bundle.source_tokenizer is not None
    save_bundle(place, bundle.model, config.config, bundle.source_tokenizer, bundle.target_tokenizer, {})
    replace(model / "MLmodel", old, bundle_digest(place))


TAMPERED: dict[str, tuple[Callable[[Path], object], str]] = {
    "config": (
        lambda model: replace(model / "artifacts/bundle/config.json", '"beam_size": 2', '"beam_size": 3'),
        r"its bundle \(artifacts/bundle\) is not the one that was registered: its digest is \w+, expected \w+ \(config\.json: ",
    ),
    "bundle": (exchange_bundle, r"its bundle \(artifacts/bundle\) is not the one that was registered"),
    "surplus file": (lambda model: (model / "artifacts/bundle/more").touch(), r"its bundle \(artifacts/bundle\) is not the one"),
    "no bundle": (lambda model: shutil.rmtree(model / "artifacts/bundle"), r"its bundle \(artifacts/bundle\) is missing; restore"),
    "code": (
        lambda model: append(model / "code/seq2seq_core/errors.py"),
        r"its code \(code\) is not the one that was registered",
    ),
    "shadowing module": (lambda model: (model / "code/json.py").touch(), r"its code .* is not the one that was registered"),
    "link": (lambda model: (model / "code/more").symlink_to("/etc"), r"code/more: must be a plain file, got a link"),
    "loader": (lambda model: append(model / "pyfunc_model.py"), r"its code .* is not the one that was registered"),
    "MLmodel": (
        lambda model: replace(model / "MLmodel", "mlflow.pyfunc.loaders.code_model", "mlflow.pyfunc.model"),
        r"its MLmodel is not the one that was registered: loader_module is 'mlflow\.pyfunc\.model', expected 'mlflow\.pyfunc\.load",
    ),
    "no MLmodel": (lambda model: (model / "MLmodel").write_text("{"), r"its MLmodel (cannot be read|is not the one)"),
}


@pytest.mark.parametrize("kind", TAMPERED)
def test_a_version_that_is_not_what_was_registered_is_refused(registered_paths: Paths, kind: str) -> None:
    version, (tamper, reason) = find_version(REFERENCE, registered_paths), TAMPERED[kind]
    fetch_bundle(REFERENCE, registered_paths)  # a copy in the workspace must not hide what the store holds
    check_stored_model(version, registered_paths)
    tamper(model_folder(registered_paths))
    for check in (check_stored_model, check_parity):
        with pytest.raises(BundleError, match=reason):
            check(version, registered_paths)


def test_bytecode_of_an_earlier_server_and_files_of_the_decision_change_nothing(registered_paths: Paths) -> None:
    model = model_folder(registered_paths)
    (model / "code/seq2seq_core/__pycache__").mkdir()
    (model / "code/seq2seq_core/__pycache__/errors.cpython-311.pyc").touch()
    (model / "card.html").touch()
    check_stored_model(find_version(REFERENCE, registered_paths), registered_paths)


def test_a_version_of_an_earlier_release_has_no_digest_of_its_code(registered_paths: Paths) -> None:
    version = find_version(REFERENCE, registered_paths)
    connect(registered_paths).delete_logged_model_tag(logged_model_id(version) or "", "code_digest")
    TAMPERED["code"][0](model_folder(registered_paths))
    check_stored_model(version, registered_paths)
    TAMPERED["config"][0](model_folder(registered_paths))
    with pytest.raises(BundleError, match="its bundle"):
        check_stored_model(version, registered_paths)


def test_s2s_serve_refuses_before_it_starts_a_server(registered_paths: Paths) -> None:
    TAMPERED["code"][0](model_folder(registered_paths))
    code, output = run(registered_paths, "serve")
    assert code == 2
    assert output.startswith("error: version 1 of 'dates': its code (code) is not the one that was registered: ")


@pytest.mark.proof
def test_rollback_refuses_a_version_with_other_code(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]
) -> None:
    for seed in (1, 2):
        make_bundle(tracked_paths, seed, right=None)
        register_bundle(tracked_settings, tracked_paths)
    force_version("2", "the first one", tracked_settings, tracked_paths)
    TAMPERED["code"][0](model_folder(tracked_paths))
    with pytest.raises(BundleError, match=r"^version 1 of 'dates': its code "):
        roll_back("1", "", tracked_settings, tracked_paths)
    assert str(find_version("models:/dates@champion", tracked_paths).version) == "2"


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return write_keys(tmp_path)


def configure(paths: Paths, private: Path | str, public: Path | str) -> None:
    signing = f"{{private_key_file: '{private}', public_key_file: '{public}'}}"
    paths.params.write_text(PARAMS.replace("progress: plain}", f"progress: plain, signing: {signing}}}"))


@pytest.mark.proof
def test_register_signs_and_whoever_loads_checks(
    tracked_paths: Paths,
    tracked_settings: Settings,
    make_bundle: Callable[..., None],
    keys: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    private, public = keys
    make_bundle(tracked_paths, right=None)
    digest = bundle_digest(tracked_paths.served)
    configure(tracked_paths, private, public)
    code, output = run(tracked_paths, "predict", str(tracked_paths.params))
    assert (code, "models/served: is not signed, and runtime.signing.public_key_file" in output) == (2, True)
    version = register_bundle(tracked_settings, tracked_paths).receipt.version
    assert (version, bundle_digest(tracked_paths.served)) == ("1", digest)
    assert run(tracked_paths, "predict", str(tracked_paths.params))[0] == 0
    assert find_version(REFERENCE, tracked_paths).tags["bundle_digest"] == digest

    model = model_folder(tracked_paths)
    signatures = [model / "artifacts" / name for name in ("bundle.sig", "model.sig")]
    written = [file.read_bytes() for file in signatures]
    assert not register_bundle(tracked_settings, tracked_paths).is_new  # nothing is signed twice
    assert [file.read_bytes() for file in signatures] == written
    shutil.rmtree(tracked_paths.fetched_bundles)
    assert bundle_digest(fetch_bundle(REFERENCE, tracked_paths)) == digest
    check_stored_model(find_version(REFERENCE, tracked_paths), tracked_paths)

    replace(model / "requirements.txt", "numpy==", "numpyy==")
    with pytest.raises(BundleError, match=r"version 1 of 'dates': its signature model\.sig does not hold for .*requirements\.txt"):
        check_stored_model(find_version(REFERENCE, tracked_paths), tracked_paths)
    monkeypatch.chdir(tracked_paths.root)
    _, other = write_keys(tracked_paths.root, "other")
    configure(tracked_paths, "", other)
    for folder in (str(tracked_paths.served), REFERENCE):
        code, output = run(tracked_paths, "predict", "--model", folder, str(tracked_paths.params))
        assert (code, "does not hold for" in output) == (2, True), output


def test_an_unsigned_version_is_refused_everywhere_until_it_is_signed(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None], keys: tuple[Path, Path]
) -> None:
    private, public = keys
    make_bundle(tracked_paths)
    register_bundle(tracked_settings, tracked_paths)
    configure(tracked_paths, "", public)
    settings, reason = parse_settings({"corpus": {"path": "x", "files": {"train": ["t"]}}, "register": {"model_name": "dates"},
                                       "train": {"initial_weights": REFERENCE}}, "test"), "is not signed"  # fmt: skip
    version = find_version(REFERENCE, tracked_paths)
    loads: list[Callable[[], object]] = [
        lambda: fetch_bundle(REFERENCE, tracked_paths),
        lambda: fetch_bundle(str(tracked_paths.served), tracked_paths),
        lambda: fetch_initial_bundle(settings.train, tracked_paths),
        lambda: check_stored_model(version, tracked_paths),
        lambda: check_parity(version, tracked_paths),
    ]
    for load in loads:
        with pytest.raises(BundleError, match=reason):
            load()
    code, output = run(tracked_paths, "serve")
    assert (code, "version 1 of 'dates': is not signed" in output) == (2, True)
    with pytest.raises(UserError, match=r"there is no key to sign this one: expected runtime\.signing\.private_key_file"):
        register_bundle(settings, tracked_paths)
    assert run(tracked_paths, "sign", "1") == (
        2, "error: no key to sign with: expected runtime.signing.private_key_file or the variable S2S_PRIVATE_KEY_FILE\n",
    )  # fmt: skip
    configure(tracked_paths, private, public)
    with pytest.raises(BundleError, match=r"^version 1 of 'dates': is not signed, .* `s2s sign` signs a version"):
        register_bundle(settings, tracked_paths)
    assert run(tracked_paths, "sign", REFERENCE) == (0, "signed version 1 of 'dates'\nversion 1 of dates is signed\n")
    for load in loads[:4]:  # the answers of this evaluation were made up
        load()


def test_nothing_that_was_exchanged_gets_a_signature(registered_paths: Paths, keys: tuple[Path, Path]) -> None:
    model, version = model_folder(registered_paths), find_version(REFERENCE, registered_paths)
    TAMPERED["code"][0](model)
    with pytest.raises(BundleError, match="its code"):
        sign_version(version, registered_paths, connect(registered_paths), keys[0])
    assert not list(model.rglob("*.sig"))
