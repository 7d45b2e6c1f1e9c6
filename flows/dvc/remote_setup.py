"""A new DVC remote: its address is checked before it is written to ``.dvc/config``, which git tracks."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from flows.dvc.command import Dvc, refusal
from flows.dvc.remote_place import RemoteAddress, open_place
from flows.dvc.repository import check_repository
from seq2seq_core import atomic
from seq2seq_core.errors import EnvironmentFault, UserError, first_line
from seq2seq_core.redaction.redactor import redact
from seq2seq_core.stage_history.dvc_cache import dvc_folder, read_remotes
from seq2seq_core.tracking_address import has_credentials, split_scheme, without_credentials

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

PACKAGES = {"s3": "dvc-s3", "gs": "dvc-gs", "azure": "dvc-azure", "ssh": "dvc-ssh", "hdfs": "dvc-hdfs", "webdavs": "dvc-webdav"}
"""Packages by which DVC reaches a store, by the scheme of its addresses."""
EXTRA = "s3"
BUSY_WAIT_SECONDS = 60.0
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def add_remote(root: Path, name: str, url: str, is_default: bool, endpoint: str, log: Callable[[str], None]) -> None:
    """Adds a remote to the workspace's DVC repository; nothing is written where a check fails.

    Args:
        root: the workspace.
        name: of the remote.
        url: its address, such as ``s3://bucket/dvc`` or a folder; a relative folder starts at the workspace.
        is_default: whether DVC uses it where none is named.
        endpoint: address of a server that speaks S3; empty: that of AWS, or ``AWS_ENDPOINT_URL``.
        log: receives a line about each check, and DVC's output.

    Raises:
        UserError: the address holds credentials, a package is missing, there is no such folder or bucket, or DVC refuses.
        EnvironmentFault: the store does not answer, or refuses the credentials.
    """
    for option, address in (("URL", url), ("--endpoint", endpoint)):
        if "://" in address and (has_credentials(address) or redact(address) != address):
            raise UserError(
                f"{option}: must hold no user name, password or key, because git tracks .dvc/config, got some for "
                f"{without_credentials(address)}; put them into the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), or "
                "into .dvc/config.local by `dvc remote modify --local`"
            )
    dvc = Dvc(root, busy_wait_seconds=BUSY_WAIT_SECONDS)
    check_repository(dvc)
    config = dvc_folder(root) / "config"
    _check_words(name, url, config)
    scheme = split_scheme(url)[0]
    _check_package(scheme)
    place = url if scheme else str((root / url).resolve())
    _check_store(RemoteAddress(name, place, {"endpointurl": endpoint} if endpoint else {}), scheme)
    log(f"{url}: answers")
    before = config.read_bytes() if config.is_file() else b""
    try:
        # A relative folder stays relative, so that the repository can move.
        _run(dvc, ["remote", "add", *(["--default"] if is_default else []), name, url], log)
        if endpoint:
            _run(dvc, ["remote", "modify", name, "endpointurl", endpoint], log)
    except BaseException:
        if before and config.read_bytes() != before:  # DVC empties the file before it writes
            atomic.write_quickly(config, before)
        raise
    log(f"remote {name}: written to .dvc/config; commit it, so that other machines have it")


def _check_words(name: str, url: str, config: Path) -> None:
    """Checks what DVC would write; it can write nothing but ASCII, and leaves an empty file where it fails."""
    if NAME.fullmatch(name) is None:
        raise UserError(f"NAME: must be of letters a to z, digits, '.', '_' and '-', got {name!r}")
    if not url.strip():
        raise UserError("URL: must be the address of a store, such as s3://bucket/dvc or a folder, got an empty one")
    if present := read_remotes(config.parent).get(name):
        raise UserError(
            f"NAME: the remote {name} is there already, with the address {present}; take another name, change it by "
            f"`dvc remote modify {name} url ADDRESS`, or remove it by `dvc remote remove {name}`"
        )
    own = config.read_bytes().splitlines() if config.is_file() else []
    values = b"".join(line for line in own if not line.lstrip().startswith(b"#"))
    for place, text in (("URL", url.encode()), (str(config), values)):
        if not text.isascii():
            raise UserError(
                f"{place}: must hold no letters beyond ASCII, because DVC cannot write them to its configuration; a link without "
                "such letters to the folder works"
            )


def _check_package(scheme: str) -> None:
    package = PACKAGES.get(scheme)
    if package and find_spec(package.replace("-", "_")) is None:
        extra = f"pip install 'seq2seq-flows[{EXTRA}]'" if scheme == EXTRA else f"pip install {package}"
        raise UserError(f"{scheme}://: needs the package {package}, which is not installed: {extra}")


def _check_store(remote: RemoteAddress, scheme: str) -> None:
    """Asks the store for the bucket or folder that holds the remote."""
    filesystem, path = open_place(remote)
    holder = path.strip("/").partition("/")[0] if scheme else str(Path(path).parent)
    try:
        is_there = _has(filesystem, holder)
    except Exception as error:
        raise EnvironmentFault(f"{remote.url}: does not answer, or refuses: {type(error).__name__}: {first_line(error)}") from error
    if not is_there:
        raise UserError(f"{remote.url}: no {'bucket' if scheme else 'folder'} {holder}; make it first, or mend the address")


def _has(filesystem: AbstractFileSystem, holder: str) -> bool:
    """Whether a store has a bucket or folder; another failure is raised, not taken for an absence."""
    try:
        filesystem.ls(holder)
    except FileNotFoundError:
        return False
    return True


def _run(dvc: Dvc, arguments: list[str], log: Callable[[str], None]) -> None:
    result = dvc.run(arguments, log)
    if result.exit_code != 0:
        raise refusal(arguments, result)
