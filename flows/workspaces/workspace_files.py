"""The files that the installed version gives a workspace: those of the repository, less what only its own code needs."""

from __future__ import annotations

import re

from seq2seq_core import __version__
from seq2seq_core.imports.shipped_files import read_shipped

GRAPH, DEPLOYMENTS, PIN = "dvc.yaml", "prefect.yaml", "requirements.txt"
MANAGED = (GRAPH, DEPLOYMENTS, PIN, ".gitignore", ".dvcignore")
"""Files that an upgrade brings to the installed version. ``params.yaml`` belongs to its user from the first edit on."""
CODE_DEPENDENCY, PINNED_DEPENDENCY = "    - seq2seq_core\n", f"    - {PIN}\n"
ENTRY_POINT = re.compile(r"\bflows/(\w+)\.py:(\w+)")
"""A flow by its file, as in a clone; an installed one is named by its module."""
OF_THE_REPOSITORY = ("*.egg-info/", "/build/", "/dist/", "/site/", "node_modules/", "/deploy/.env", "number_words_workspace/")
"""Lines of ``.gitignore`` about what a workspace never has."""
SAMPLE_SETTINGS, END_OF_USE = "configs/dates.yaml", "configs/dates.yaml\n#\n"
"""The ready settings of the sample corpus, and the end of their lines about use."""
READY_SETTINGS = "Ready settings are in configs/."
OWN_READY_SETTINGS = "Ready settings come with s2s: configs/g2p.yaml and others."
REQUIREMENTS = """\
# The version of seq2seq-flows that this workspace belongs to: `pip install -r requirements.txt`.
# `s2s upgrade` brings the files here to the version that is installed.
seq2seq-flows[pipeline]=={version}
# Packages of your own, and extras such as seq2seq-flows[s3], below this line.
"""


def managed_files() -> dict[str, str]:
    """The texts of the files that an upgrade keeps up to date, by name.

    Raises:
        RuntimeError: the shipped graph no longer depends on the code in the way that this module replaces.
    """
    graph = read_shipped(GRAPH)
    if graph.count(CODE_DEPENDENCY) != 1:
        raise RuntimeError(f"{GRAPH}: expected one line {CODE_DEPENDENCY.strip()!r} to put {PIN} in its place")
    ignored = [line for line in read_shipped(".gitignore").splitlines(keepends=True) if line.strip() not in OF_THE_REPOSITORY]
    return {
        GRAPH: graph.replace(CODE_DEPENDENCY, PINNED_DEPENDENCY),
        DEPLOYMENTS: ENTRY_POINT.sub(r"flows.\1.\2", read_shipped(DEPLOYMENTS)),
        PIN: REQUIREMENTS.format(version=__version__),
        ".gitignore": "".join(ignored),
        ".dvcignore": read_shipped(".dvcignore"),
    }


def first_settings() -> str:
    """The text of ``params.yaml`` in a new workspace: the settings of the sample corpus."""
    _, _, settings = read_shipped(SAMPLE_SETTINGS).partition(END_OF_USE)  # params.yaml of a clone is its user's
    return settings.replace(READY_SETTINGS, OWN_READY_SETTINGS)
