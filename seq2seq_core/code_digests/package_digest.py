"""A digest of the whole package and versions of libraries, for what is kept between runs and costs little to make anew."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from seq2seq_core.code_digests.reach import package_folder


@cache
def digest_package() -> str:
    """SHA-256 of the names and bytes of all source files of the package: any edit changes it."""
    found, folder = hashlib.sha256(), package_folder()
    for path in sorted(folder.rglob("*.py")):
        content = path.read_bytes()
        found.update(f"{path.relative_to(folder)}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


def find_version(library: str) -> str:
    """The version of a library; empty: it is not installed, as not all settings need it.

    Args:
        library: the name of its distribution.
    """
    try:
        return version(library)
    except PackageNotFoundError:
        return ""
