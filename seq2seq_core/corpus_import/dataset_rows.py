"""The rows of a dataset folder as JSON lines, read by the library ``datasets``: CSV, JSON, Parquet, Arrow or text files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from seq2seq_core.corpus_import.import_libraries import load_library
from seq2seq_core.corpus_import.size_limit import SizeLimit
from seq2seq_core.errors import CorpusError, UserError, first_line, library_errors

READERS = frozenset({"csv", "json", "parquet", "text", "arrow"})
"""Readers of the library that take rows of text, and run no code that comes with the data."""
BATCH_ROWS = 1000
LONGEST_MESSAGE = 300


def files_by_split(folder: Path, configuration: str | None, cache: Path) -> dict[str, list[str]]:
    """The files that each split of a dataset is read from, relative to its folder; their content is not looked at.

    Args:
        folder: the dataset; its ``README.md`` may name configurations.
        configuration: one of them; None: the only one.
        cache: a folder for the library's own files.

    Raises:
        UserError: there is no such configuration, or none is named and there are several.
        CorpusError: the files are of a kind that is not read, or lie outside of the folder.
    """
    builder = _builder(folder, configuration, cache)
    found: dict[str, list[str]] = {}
    for split, files in (builder.config.data_files or {}).items():
        for file in map(str, files):
            path = Path(file)
            if "://" in file or not path.resolve().is_relative_to(folder.resolve()):
                raise CorpusError(f"the card names {file}, which lies outside of the dataset; expected files inside of it", folder)
            found.setdefault(str(split), []).append(path.resolve().relative_to(folder.resolve()).as_posix())
    if not found:
        raise CorpusError("has no data files", folder)
    return found


def write_rows(dataset: Path, configuration: str | None, folder: Path, cache: Path, limit: SizeLimit) -> list[str]:
    """Writes ``SPLIT.jsonl`` for each split of a dataset; returns a line for each column left out.

    Members of a nested column (``translation: {de, en}``) become columns of their own; classes get their names.

    Args:
        dataset: its folder.
        configuration: one of its configurations; None: the only one.
        folder: receives the files.
        cache: a folder for the library's own files.
        limit: bounds what is written.

    Raises:
        CorpusError: its files cannot be read, or have no texts.
    """
    notes: list[str] = []
    files_by_split(dataset, configuration, cache)
    builder = _builder(dataset, configuration, cache)
    with library_errors(lambda error: _unreadable(dataset, error), *_own_errors()):
        for split, rows in builder.as_streaming_dataset().items():
            name = f"{split}.jsonl"
            with (folder / name).open("wb") as file:
                columns: dict[tuple[str, ...], str] | None = None
                for table in rows.with_format("arrow").iter(batch_size=BATCH_ROWS):
                    if columns is None:
                        columns, left_out = _name_columns(table.schema)
                        notes += [f"{split}: column {column} was left out: it holds {kind}" for column, kind in left_out.items()]
                        if not columns:
                            raise CorpusError(f"split {split} has no column of texts or numbers", dataset)
                    classes = _classes(rows.features or {})
                    for line in _lines(table, columns, classes):
                        limit.take(len(line), name)
                        file.write(line)
    return notes


def _builder(folder: Path, configuration: str | None, cache: Path) -> Any:
    datasets = load_library("datasets")
    with library_errors(lambda error: _unreadable(folder, error), *_own_errors()):
        builder = datasets.load_dataset_builder(str(folder.resolve()), name=configuration, cache_dir=str(cache))
    reader = type(builder).__module__.rpartition(".")[2]
    if reader not in READERS:
        raise CorpusError(
            f"its files are for the reader {reader!r} of the library datasets; expected {', '.join(sorted(READERS))}", folder
        )
    return builder


def _own_errors() -> tuple[type[Exception], ...]:
    """The library's errors that derive from none of Python's usual ones."""
    own = load_library("datasets.exceptions").DatasetsError
    return (own, load_library("pyarrow").lib.ArrowException, load_library("yaml").YAMLError)


def _unreadable(folder: Path, error: Exception) -> UserError:
    message = " ".join(str(error).split("Example of usage")[0].split())
    if "Config name is missing" in message or "BuilderConfig" in message:
        return UserError(f"{folder.name}: --configuration must name one of the dataset's ({message})")
    shown = message if len(message) <= LONGEST_MESSAGE else f"{message[:LONGEST_MESSAGE]}…"
    return CorpusError(f"cannot be read as a dataset ({shown or first_line(error) or type(error).__name__})", folder)


def _name_columns(schema: Any) -> tuple[dict[tuple[str, ...], str], dict[str, str]]:
    """The name of each column that is kept by its path, and the kind of each that is not."""
    kept, left_out = list[tuple[str, ...]](), dict[str, str]()
    for column in schema:
        leaves = dict(_leaves(column, ()))
        faulty = {str(kind) for kind in leaves.values() if not _is_plain(kind)}
        if faulty:
            left_out[column.name] = ", ".join(sorted(faulty))
        else:
            kept += leaves
    own = Counter(path[-1] for path in kept)
    return {path: path[-1] if own[path[-1]] == 1 else ".".join(path) for path in kept}, left_out


def _leaves(column: Any, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    types, path = load_library("pyarrow.types"), (*above, column.name)
    if not types.is_struct(column.type):
        yield path, column.type
        return
    for number in range(column.type.num_fields):
        yield from _leaves(column.type.field(number), path)


def _is_plain(kind: Any) -> bool:
    """Whether a type is one of texts or numbers, or a list of texts."""
    types = load_library("pyarrow.types")
    if types.is_list(kind) or types.is_large_list(kind):
        kind = kind.value_type
    is_text = types.is_string(kind) or types.is_large_string(kind)
    return bool(is_text or types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))


def _classes(features: Mapping[str, Any]) -> dict[str, list[str]]:
    """The names of the classes of each column of classes, which are stored as numbers."""
    return {name: feature.names for name, feature in features.items() if type(feature).__name__ == "ClassLabel"}


def _lines(table: Any, columns: Mapping[tuple[str, ...], str], classes: Mapping[str, list[str]]) -> Iterator[bytes]:
    for row in table.to_pylist():
        cells = {name: _member(row, path) for path, name in columns.items()}
        for name, names in classes.items():
            if isinstance(cells.get(name), int) and 0 <= cells[name] < len(names):
                cells[name] = names[cells[name]]
        yield orjson.dumps(cells, option=orjson.OPT_APPEND_NEWLINE)


def _member(row: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        row = None if row is None else row.get(name)
    return row
