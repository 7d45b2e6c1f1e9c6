"""Which files of tests run first and which run one behind another, where pytest-xdist spreads them over processes.

Tests that wait for a server leave a core to others, so they run beside tests that compute and not beside one another; files
that share a Prefect server run in one process, so that few servers start.
"""

from __future__ import annotations

import re

from xdist.scheduler import LoadFileScheduling

GROUPS = {
    "a team": re.compile(r"tests/flows/machines/test_team\.py"),
    "flows of a to r": re.compile(r"tests/flows/test_[a-r]\w*\.py"),
    "flows of s to z": re.compile(r"tests/flows/test_[s-z]\w*\.py"),
    "pipeline of a to m": re.compile(r"tests/pipeline/test_[a-m]\w*\.py"),
    "pipeline of n to z": re.compile(r"tests/pipeline/test_[n-z]\w*\.py"),
}
"""Files that run one behind another in one process, by the name of the group."""


def group_of(file: str) -> str:
    """The group of a file, by its path from the repository's root; a file of no group is one of its own."""
    return next((name for name, pattern in GROUPS.items() if pattern.fullmatch(file)), file)


def place_of(file: str) -> tuple[int, list[int]]:
    """What files are sorted by: groups, which take longest, come first; of unit tests the long ones are late in the alphabet."""
    if (group := group_of(file)) in GROUPS:
        return list(GROUPS).index(group), []
    if file.startswith("tests/unit/"):
        return len(GROUPS) + 1, [-ord(letter) for letter in file]
    return len(GROUPS), [ord(letter) for letter in file]


class FileScheduling(LoadFileScheduling):  # type: ignore[misc]
    """Gives each process whole files, and a group's files to one process."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(super()._split_scope(nodeid))
