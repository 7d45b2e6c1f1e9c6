"""Changed inputs: the files of a folder, and their rows."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator
from pathlib import Path

from seq2seq_core.artifacts import Paths
from seq2seq_core.stage_history.input_listing import FileStates, InputListing, find_listing, find_rows, list_input
from seq2seq_core.stage_history.row_blocks import compare_blocks, has_rows, read_blocks
from seq2seq_core.stage_history.stage_reason import StageReason

logger = logging.getLogger(__name__)
MOST_FILES = 8


def explain_input(name: str, before: str, paths: Paths, home: Paths, states: FileStates) -> list[StageReason]:
    """What differs in an input that no stage makes; empty where nothing does.

    Args:
        name: a file or folder, relative to the workspace.
        before: its digest in ``dvc.lock``.
        paths: the workspace.
        home: the workspace that keeps the records.
        states: known digests of its files.
    """
    now = list_input(paths.root / name, states)
    if now is None:
        return [StageReason("file", f"{name}: is missing")]
    if now.digest == before:
        return []
    old = find_listing(before, home)
    if old is None:
        return [StageReason("file", f"{name} has changed (its earlier files are not kept here)")]
    return _shorten([*_compare(name, old, now, paths, home)], name) or [StageReason("file", f"{name} has changed")]


def explain_output(name: str, before: str, after: str, paths: Paths) -> list[StageReason]:
    """What differs in what another stage has made.

    Args:
        name: a file or folder, relative to the workspace.
        before: its digest when the stage ran.
        after: its present digest.
        paths: the workspace, whose DVC cache may have the listings.
    """
    if before == after:
        return []
    old, now = find_listing(before, paths), find_listing(after, paths)
    if old is None or now is None or "" in old.files:
        return [StageReason("file", f"{name} has changed")]
    names = [inner for inner in {**old.files, **now.files} if old.files.get(inner) != now.files.get(inner)]
    listed = ", ".join(names[:MOST_FILES]) + (f" and {len(names) - MOST_FILES} more" if len(names) > MOST_FILES else "")
    return [StageReason("file", f"{name} has changed ({listed})" if names else f"{name} has changed")]


def _compare(name: str, old: InputListing, now: InputListing, paths: Paths, home: Paths) -> Iterator[StageReason]:
    gone = {md5: inner for inner, md5 in old.files.items() if inner not in now.files}
    for inner, md5 in now.files.items():
        place = f"{name}/{inner}" if inner else name
        before = old.files.get(inner)
        if before is None:
            source = gone.pop(md5, None)
            text = f"{place} is new" if source is None else f"{place} is {name}/{source} with another name"
            yield StageReason("file", text)
        elif before != md5:
            yield StageReason("file", f"{place}: {_describe_rows(paths.root / place, before, home)}")
    for inner in gone.values():
        yield StageReason("file", f"{name}/{inner} is gone")


def _describe_rows(file: Path, before: str, home: Paths) -> str:
    """How the rows of a file differ from those that it had."""
    old = find_rows(before, home) if has_rows(file.name) else None
    if old is None:
        return "changed"
    try:
        change = compare_blocks(old, read_blocks(file))
    except (OSError, EOFError, zlib.error) as error:
        logger.debug("%s: %s", file, error)
        return "changed, and cannot be read now"
    return "changed, but none of its rows (line ends, or how it is packed)" if change is None else change.describe()


def _shorten(reasons: list[StageReason], name: str) -> list[StageReason]:
    if len(reasons) <= MOST_FILES:
        return reasons
    return [*reasons[:MOST_FILES], StageReason("file", f"{name}: {len(reasons) - MOST_FILES} further files have changed")]
