"""Puts the files of a workspace and the ready settings into a built package, where ``s2s init`` and ``s2s configure`` find them.

They stay at the top of the repository, which is a workspace too. All else about the build stands in pyproject.toml.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = (
    ".dvcignore",
    ".gitignore",
    "dvc.yaml",
    "prefect.yaml",
    *sorted(str(path) for path in Path("configs").rglob("*.yaml")),
)


class BuildWithShippedFiles(build_py):
    """The modules of the package, with the files that it ships; an editable installation reads these from the repository."""

    def run(self) -> None:
        """Builds the modules, then copies the files."""
        super().run()
        for name in () if self.editable_mode else SHIPPED:
            target = Path(self.build_lib, "seq2seq_core", "shipped", name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(name, target)

    def get_source_files(self) -> list[str]:
        """What a source distribution needs."""
        return [*super().get_source_files(), *SHIPPED]


setup(cmdclass={"build_py": BuildWithShippedFiles})
