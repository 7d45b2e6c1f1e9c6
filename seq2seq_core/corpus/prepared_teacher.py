"""The teacher of a prepared corpus: ``teacher.json`` beside the pairs that are its outputs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from seq2seq_core import atomic


@dataclass(frozen=True)
class PreparedTeacher:
    """The model whose outputs are pairs of train.

    Attributes:
        teacher: its name: ``models:/NAME/VERSION``, or the folder as the settings name it.
        digest: of its bundle.
    """

    teacher: str
    digest: str

    @property
    def tags(self) -> dict[str, str]:
        """Its tags for a run or a version of MLflow."""
        return {"teacher": self.teacher, "teacher_bundle_digest": self.digest}

    def save(self, path: Path) -> None:
        """Writes it as JSON.

        Args:
            path: such as ``data/prepared/teacher.json``.
        """
        atomic.write_text(path, json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n")


def read_teacher(path: Path) -> PreparedTeacher | None:
    """The teacher of a prepared corpus; None: it has none.

    Args:
        path: a file that :meth:`PreparedTeacher.save` wrote.
    """
    try:
        return PreparedTeacher(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None
