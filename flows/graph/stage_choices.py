"""The stages that Prefect's page offers for ``force``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from seq2seq_core.artifacts import Paths
from seq2seq_core.dvc_files import read_stages
from seq2seq_core.errors import UserError


def offer_stages(schema: dict[str, Any]) -> None:
    """Adds the names of the stages to the schema of a parameter, as they are when ``prefect deploy`` makes it in the workspace.

    Only the page and the server go by the schema; a run in this process takes any name and then asks DVC.

    Args:
        schema: the JSON schema of a stage's name, changed in place; unchanged where the names cannot be read from the file.
    """
    if names := _read_names(Path("dvc.yaml")):
        schema["enum"] = names


def check_forced(paths: Paths, stages: Sequence[str]) -> None:
    """Checks the stages that a run is told to force, where ``dvc.yaml`` names each of its stages.

    Args:
        paths: the workspace.
        stages: their names.

    Raises:
        UserError: the graph has no stage of that name.
    """
    names = _read_names(paths.root / "dvc.yaml")
    if names:
        refuse_unknown(stages, names)


def refuse_unknown(forced: Iterable[str], stages: Sequence[str]) -> None:
    """Refuses names in ``force`` that no stage has.

    Args:
        forced: the names in ``force``.
        stages: the stages of the graph.

    Raises:
        UserError: a name is unknown.
    """
    if unknown := sorted({*forced} - {*stages}):
        raise UserError(f"force: must name stages of dvc.yaml ({', '.join(stages)}), got {', '.join(unknown)}")


def _read_names(file: Path) -> list[str]:
    """The names of the stages in a ``dvc.yaml``; none where it is missing or makes several stages of one entry."""
    stages = read_stages(file)
    return (
        [] if any(not isinstance(stage, dict) or {"foreach", "matrix"} & stage.keys() for stage in stages.values()) else [*stages]
    )
