"""The store of the default DVC remote, for files that are no data of DVC: its address, and a file system that reaches it."""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq_core.errors import UserError
from seq2seq_core.stage_history.dvc_cache import dvc_folder

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

S3_OPTIONS = {
    "endpointurl": ("client_kwargs", "endpoint_url"),
    "region": ("client_kwargs", "region_name"),
    "profile": ("profile",),
    "access_key_id": ("key",),
    "secret_access_key": ("secret",),
    "session_token": ("token",),
}
"""DVC's options of an S3 remote, and where s3fs takes them."""


@dataclass(frozen=True)
class RemoteAddress:
    """A DVC remote.

    Attributes:
        name: its name; empty where the address comes from elsewhere.
        url: its address; a folder of this machine as an absolute path.
        options: DVC's options of it.
    """

    name: str
    url: str
    options: Mapping[str, str]


def default_remote(workspace: Path) -> RemoteAddress | None:
    """The default remote of a DVC repository; None where it has none.

    Args:
        workspace: a folder in the repository.
    """
    folder = dvc_folder(workspace)
    config = configparser.ConfigParser(interpolation=None, strict=False)
    with suppress(configparser.Error, UnicodeDecodeError):  # DVC itself says what is wrong with it
        config.read([folder / "config", folder / "config.local"], encoding="utf-8")
    name = config.get("core", "remote", fallback="").strip()
    section = f"'remote \"{name}\"'"
    if not name or not config.has_section(section):
        return None
    options = {key.strip(): value.strip().strip("\"'") for key, value in config.items(section)}
    url = options.pop("url", "")
    return RemoteAddress(name, url if "://" in url else str((folder / url).resolve()), options)


def open_place(remote: RemoteAddress) -> tuple[AbstractFileSystem, str]:
    """A file system that reaches a remote, and the remote's path on it.

    Args:
        remote: its address and options; credentials may also come from the environment, as its store's library reads them.

    Raises:
        UserError: the package for such addresses is missing.
    """
    import fsspec

    options: dict[str, Any] = {}
    if remote.url.startswith(("s3://", "s3a://")):
        for name, place in S3_OPTIONS.items():
            if value := remote.options.get(name):
                target = options
                for key in place[:-1]:
                    target = target.setdefault(key, {})
                target[place[-1]] = value
    try:
        filesystem, path = fsspec.url_to_fs(remote.url, use_listings_cache=False, **options)
    except (ImportError, ValueError) as error:
        raise UserError(f"{remote.url}: cannot be reached from Python: {error}") from None
    return filesystem, str(path)
