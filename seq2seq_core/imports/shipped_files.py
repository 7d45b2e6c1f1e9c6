"""Files that come with the package beside its modules: those that a workspace starts with, and the ready settings."""

from __future__ import annotations

from pathlib import Path

from seq2seq_core.errors import UserError

SHIPPED_FOLDER = "shipped"
"""The folder of these files in an installed package; ``setup.py`` puts them there."""


def read_shipped(name: str) -> str:
    """The text of a shipped file.

    Args:
        name: its path in the repository, such as ``dvc.yaml``.
    """
    return (_folder() / name).read_text(encoding="utf-8")


def find_ready_file(path: Path) -> Path:
    """A file as it was named or, where there is none, the ready file of that name that came with the package.

    Args:
        path: such as ``configs/g2p.yaml``; relative paths start at the current folder.

    Raises:
        UserError: neither is there, and the name is that of a ready file; the message lists these.
    """
    if path.exists() or path.is_absolute() or path.parts[:1] != ("configs",):
        return path
    shipped = _folder() / path
    if shipped.is_file():
        return shipped
    known = sorted(str(file.relative_to(_folder())) for file in shipped.parent.glob("*.yaml"))
    if not known:
        return path
    raise UserError(f"{path}: no such file here, and none of that name comes with the package; expected one of {', '.join(known)}")


def _folder() -> Path:
    """The folder of the files: in the package, or the top of the repository that the package is read from."""
    package = Path(__file__).parents[1]
    built = package / SHIPPED_FOLDER
    return built if built.is_dir() else package.parent
