from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.signature import check_private_key, check_trusted, kept_signature, sign_folder, verify_folder
from seq2seq_core.errors import BundleError, UserError
from tests.keys import write_keys


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two files, signed by ``key``."""
    for name in ("S2S_PRIVATE_KEY_FILE", "S2S_PUBLIC_KEY_FILE", "S2S_PRIVATE_KEY_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "bundle").mkdir()
    for name in ("config.json", "weights"):
        (tmp_path / "bundle" / name).write_text(name)
    private, _ = write_keys(tmp_path)
    sign_folder(tmp_path / "bundle", tmp_path / "bundle.sig", private)
    return tmp_path / "bundle"


def verify(folder: Path, key: str = "key.pub") -> None:
    verify_folder(folder, folder.with_name("bundle.sig"), folder.with_name(key), "the bundle")


def test_a_signed_folder_holds_wherever_it_is_and_its_digest_is_the_same(folder: Path, tmp_path: Path) -> None:
    digest = bundle_digest(folder)
    verify(folder)
    moved = folder.rename(tmp_path / "elsewhere")
    verify(moved)
    assert bundle_digest(moved) == digest


@pytest.mark.parametrize("change", ["content", "surplus", "missing", "renamed", "key", "junk", "empty", "cut"])
def test_whatever_was_changed_the_signature_does_not_hold(folder: Path, tmp_path: Path, change: str) -> None:
    write_keys(tmp_path, "other")
    signature = tmp_path / "bundle.sig"
    match change:
        case "content":
            (folder / "weights").write_text("Weights")
        case "surplus":
            (folder / "more").touch()
        case "missing":
            (folder / "weights").unlink()
        case "renamed":
            (folder / "weights").rename(folder / "config")
        case "junk":
            signature.write_text('{"verificationMaterial": []}')
        case "empty":
            signature.write_text("")
        case "cut":
            signature.write_text(signature.read_text()[:-20])
        case _:
            pass
    with pytest.raises(BundleError, match=r"^the bundle: its signature bundle\.sig does not hold for .*\.pub: \w+"):
        verify(folder, "other.pub" if change == "key" else "key.pub")


def test_an_encrypted_key_needs_its_password(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private, _ = write_keys(tmp_path, "safe", b"open sesame")
    with pytest.raises(UserError, match=r"safe\.pem: not a private key that can be used \(Password was not given"):
        check_private_key(private)
    monkeypatch.setenv("S2S_PRIVATE_KEY_PASSWORD", "open sesame")
    sign_folder(folder, tmp_path / "bundle.sig", private)
    verify(folder, "safe.pub")


@pytest.mark.parametrize("content", ["", "junk", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_is_no_key_is_named(tmp_path: Path, folder: Path, content: str) -> None:
    (tmp_path / "key.pub").write_text(content)
    with pytest.raises(UserError, match=r"key\.pub: not a public key that can be used \(.*; expected one of the curve P-256"):
        verify(folder)
    with pytest.raises(UserError, match=r"key\.pub: not a private key that can be used"):
        check_private_key(tmp_path / "key.pub")


def test_openssl_makes_such_keys(tmp_path: Path, folder: Path) -> None:
    """The commands of docs/security.md."""
    page = (Path(__file__).parents[3] / "docs" / "security.md").read_text(encoding="utf-8")
    commands = [line for line in page.splitlines() if line.startswith("openssl ")]
    assert len(commands) == 2
    for command in commands:
        subprocess.run(command, shell=True, cwd=tmp_path, check=True, capture_output=True)
    sign_folder(folder, tmp_path / "bundle.sig", tmp_path / "signing.pem")
    verify(folder, "signing.pub")


def test_only_a_configured_key_asks_for_a_signature(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, signature = Paths(tmp_path), tmp_path / "bundle.sig"
    kept = kept_signature(bundle_digest(folder), paths)
    kept.parent.mkdir(parents=True)
    signature.rename(kept)
    (folder / "weights").write_text("Weights")
    check_trusted(folder, paths)

    monkeypatch.setenv("S2S_PUBLIC_KEY_FILE", "key.pub")
    with pytest.raises(BundleError, match=r"bundle: is not signed, and runtime\.signing\.public_key_file \(.*key\.pub\) asks for"):
        check_trusted(folder, paths)
    (folder / "weights").write_text("weights")
    check_trusted(folder, paths)  # by the signature that the workspace keeps
    write_keys(tmp_path, "other")
    (tmp_path / "params.yaml").write_text("runtime: {signing: {public_key_file: other.pub}}\n")
    with pytest.raises(BundleError, match=r"does not hold for .*other\.pub: Key mismatch"):
        check_trusted(folder, paths)  # the setting wins over the variable
    (tmp_path / "params.yaml").write_text("runtime: {signing: {public_key_file: none.pub}}\n")
    with pytest.raises(UserError, match=r"^runtime\.signing\.public_key_file: .*none\.pub: no such file; expected a key of an"):
        check_trusted(folder, paths)


def test_without_the_package_the_extra_is_named(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("model_signing.signing", "model_signing.verifying"):
        monkeypatch.setitem(sys.modules, module, None)
    uses: list[Callable[[], object]] = [lambda: verify(folder), lambda: check_private_key(tmp_path / "key.pem")]
    for use in uses:
        with pytest.raises(UserError, match=r"signatures need the package model-signing .* 'seq2seq-flows\[signing\]'$"):
            use()
