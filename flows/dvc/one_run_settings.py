"""Settings for one run: ``params.yaml``, which DVC reads, is changed for the run's duration and then put back byte for byte.

The original is kept under ``.s2s/`` from before the change until after it is back; a run that was killed leaves it to the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, load_values, parse_settings
from seq2seq_core.config.yaml_text import YamlError, parse_document, parse_yaml, write_document
from seq2seq_core.errors import ConfigError
from seq2seq_core.sweep.dotted import put_setting

SOURCE = "set"


@contextmanager
def settings_for_one_run(paths: Paths, assignments: Sequence[str], warn: Callable[[str], None]) -> Iterator[list[str]]:
    """Changes ``params.yaml`` for the ``with`` block; gives notes for the run's report. Needs the workspace's lock.

    A file that somebody edits during the block stays as it was edited.

    Args:
        paths: the workspace; writes ``params.yaml`` and ``.s2s/``.
        assignments: each ``section.field=value``, the value as in YAML; none: nothing is changed.
        warn: receives a line where the original could not be put back.

    Raises:
        ConfigError: an assignment is wrong, or the settings have faults with it; nothing is changed.
    """
    put_back(paths, warn)
    if not assignments:
        yield []
        return
    load_values(paths.params)
    original = _read(paths.params)
    changed = _apply(original, assignments)
    # The original is written last: it alone says that params.yaml may be changed.
    atomic.write_text(_changed_file(paths), changed)
    atomic.write_text(original_file(paths), original)
    try:
        atomic.write_text(paths.params.resolve(), changed)
        yield [f"settings of this run only: {', '.join(assignments)}"]
    finally:
        put_back(paths, warn)


def check_assignments(paths: Paths, assignments: Sequence[str]) -> None:
    """Checks settings for one run without changing anything.

    Args:
        paths: the workspace, whose ``params.yaml`` they are for.
        assignments: each ``section.field=value``.

    Raises:
        ConfigError: an assignment is wrong, or the settings have faults with it.
    """
    if assignments:
        changed_settings(paths, assignments)


def changed_settings(paths: Paths, assignments: Sequence[str]) -> tuple[Settings, Mapping[str, Any]]:
    """The settings with some changed, checked and as they would stand in ``params.yaml``; nothing is written.

    Args:
        paths: the workspace, whose ``params.yaml`` they are for.
        assignments: each ``section.field=value``.

    Raises:
        ConfigError: an assignment is wrong, or the settings have faults with it.
    """
    values = parse_yaml(_apply(_read(paths.params), assignments))
    return parse_settings(values, SOURCE), values


def offer_sections(schema: dict[str, Any]) -> None:
    """Adds the form of an assignment to the schema of a parameter: the server refuses another when a run is made.

    Only the page and the server go by the schema. The values are checked when the run starts, with ``params.yaml`` as it is then.

    Args:
        schema: the JSON schema of an assignment, changed in place.
    """
    sections = (name.removesuffix("_") for name in Settings.model_fields)
    schema["pattern"] = rf"^\s*({'|'.join(sections)})\.[^=\s]+\s*="


def put_back(paths: Paths, warn: Callable[[str], None]) -> None:
    """Puts the original ``params.yaml`` back where a run has left a changed one. Needs the workspace's lock.

    Args:
        paths: the workspace.
        warn: receives a line where the file was edited meanwhile, so that it stays as it is.
    """
    original, changed = original_file(paths), _changed_file(paths)
    if not original.is_file():
        return
    if not paths.params.is_file() or not changed.is_file() or _read(paths.params) in (_read(changed), _read(original)):
        atomic.write_text(paths.params.resolve(), _read(original))
        original.unlink()
        return
    kept = original.with_name("params.before.yaml")
    original.replace(kept)
    warn(f"params.yaml was edited during a run with other settings and stays as it is; the file before that run is {kept}")


def _apply(original: str, assignments: Sequence[str]) -> str:
    """The text of a parameters file with some settings changed, comments included."""
    document = parse_document(original)
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        fault = f"{assignment}: must be section.field=value, such as train.max_steps=200"
        if not equals:
            raise ConfigError([fault], SOURCE)
        try:
            put_setting(document, name.strip(), parse_yaml(value))
        except (KeyError, TypeError, YamlError) as error:
            raise ConfigError([f"{fault} ({error})"], SOURCE) from None
    parse_settings(document, SOURCE)
    return write_document(document)


def _read(path: Path) -> str:
    """The content of a file, line ends unchanged."""
    return path.read_bytes().decode("utf-8")


def original_file(paths: Paths) -> Path:
    """The file that keeps ``params.yaml`` as it was, while a run has changed it.

    Args:
        paths: the workspace.
    """
    return paths.work / "params.original.yaml"


def _changed_file(paths: Paths) -> Path:
    return paths.work / "params.changed.yaml"
