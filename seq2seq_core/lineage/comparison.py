"""What differs between two versions: settings, code, packages, machine, corpus by rows, stage outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from seq2seq_core.artifacts import Paths
from seq2seq_core.lineage.corpus_rows import read_rows_at
from seq2seq_core.lineage.known_bytes import find_cached
from seq2seq_core.lineage.lineage_storage import Lineage
from seq2seq_core.lineage.row_changes import FileRows, RowChange, compare_corpora

Pair = tuple[Any, Any]
MISSING = None
CODE_OUTPUT = "code: reports/code"
"""Digests of each stage's settings and code."""
MAX_TEXTS = 10_000
"""Changed rows of a file whose texts are looked up."""


@dataclass(frozen=True)
class Comparison:
    """What differs between two versions; each pair is of the first and of the second.

    Attributes:
        labels: the names of the versions.
        settings: by dotted name.
        commits: the commits, where they or the changes on top of them differ; else empty.
        code: by stage, the modules whose meaning differs.
        reach: by stage, the modules that only the settings of the first or of the second need.
        packages: by name; None: not installed.
        machine: by property.
        files: by name, the digests of corpus files; None: not in that corpus.
        rows: the files whose rows differ; None where a version keeps no hashes of rows.
        outputs: by ``stage: path``, the digests of stage outputs.
        others: test set, initial weights, weights.
    """

    labels: tuple[str, str]
    settings: dict[str, Pair]
    commits: dict[str, Pair]
    code: dict[str, list[str]]
    reach: dict[str, tuple[list[str], list[str]]]
    packages: dict[str, Pair]
    machine: dict[str, Pair]
    files: dict[str, Pair]
    rows: list[FileRows] | None
    outputs: dict[str, Pair]
    others: dict[str, Pair]

    def as_json(self) -> dict[str, Any]:
        """Everything as one JSON object, with the numbers of changed rows."""
        values = asdict(replace(self, rows=None))
        values["rows"] = None if self.rows is None else [asdict(file) | {"counts": file.counts()} for file in self.rows]
        return values


def compare(one: Lineage, other: Lineage, paths: Paths) -> Comparison:
    """What differs between two versions.

    Args:
        one: the first.
        other: the second.
        paths: the workspace, whose registry has the hashes of rows, and whose corpus and DVC cache have their texts.

    Raises:
        UserError: the hashes of rows cannot be read.
        TrackingUnreachable: MLflow does not answer.
    """
    first, second = one.record, other.record
    files = _differences(_digests(first), _digests(second))
    settings = _differences(flatten(first["settings"]["values"]), flatten(second["settings"]["values"]))
    commits = _differences(*({key: record["code"].get(key) for key in ("commit", "patch_sha256")} for record in (first, second)))
    stages = first["code"].get("stages", {}), second["code"].get("stages", {})
    code, reach = {} if _is_same_code(first, second) else _changed_code(*stages), _changed_reach(*stages)
    outputs = _differences(_outputs(first), _outputs(second))
    if settings or code or reach:  # which say what the digests of settings and code were made of
        outputs.pop(CODE_OUTPUT, None)
    return Comparison(
        labels=(one.label, other.label),
        settings=settings,
        commits=commits,
        code=code,
        reach=reach,
        packages=_differences(first["machine"].get("packages", {}), second["machine"].get("packages", {})),
        machine=_differences(_machine(first), _machine(second)),
        files=files,
        rows=_changed_rows(one, other, files, paths),
        outputs=outputs,
        others=_differences(_others(first), _others(second)),
    )


def flatten(values: Any, prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted name; the items of lists by their number.

    Args:
        values: of JSON's types.
        prefix: the name of ``values``.
    """
    items = values.items() if isinstance(values, Mapping) else enumerate(values) if _is_list_of_sections(values) else None
    if items is None:
        return {prefix: values}
    flat: dict[str, Any] = {}
    for name, item in items:
        flat |= flatten(item, f"{prefix}.{name}" if prefix else str(name))
    return flat


def _is_list_of_sections(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and all(isinstance(item, Mapping) for item in values)


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Pair]:
    names = [*one, *(name for name in other if name not in one)]
    pairs = {name: (one.get(name, MISSING), other.get(name, MISSING)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _is_same_code(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether no file of the code differs: one commit, and the same changes on top of it."""
    codes = [record["code"] for record in (one, other)]
    has_all = all(code.get("commit") and not code.get("patch_lack") for code in codes)
    return has_all and all(codes[0].get(name) == codes[1].get(name) for name in ("commit", "folder", "patch_sha256"))


def _changed_code(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, list[str]]:
    """By stage, the modules that both reach and that mean something else."""
    changed = {
        stage: sorted(name for name in modules if modules[name] != other.get(stage, {}).get(name, modules[name]))
        for stage, modules in one.items()
    }
    return {stage: modules for stage, modules in changed.items() if modules}


def _changed_reach(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[list[str], list[str]]]:
    """By stage, the modules that only one of the two reaches."""
    stages = [*one, *(stage for stage in other if stage not in one)]
    reached = [(stage, set(one.get(stage, {})), set(other.get(stage, {}))) for stage in stages]
    return {stage: (sorted(old - new), sorted(new - old)) for stage, old, new in reached if old != new}


def _machine(record: Mapping[str, Any]) -> dict[str, Any]:
    return flatten({key: value for key, value in record["machine"].items() if key not in ("packages", "of")})


def _digests(record: Mapping[str, Any]) -> dict[str, Any]:
    corpus = record["corpus"]
    files = {name: file["sha256"] for name, file in corpus["files"].items()}
    return files or {"(all files)": corpus.get("sha256")}


def _outputs(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"{stage}: {path}": output["sha256"]
        for stage, outputs in record.get("stages", {}).items()
        for path, output in outputs.items()
    }


def _others(record: Mapping[str, Any]) -> dict[str, Any]:
    parents = record.get("parents") or {}
    initial, teacher = (parents.get(name) or {} for name in ("initial_weights", "teacher"))
    return {
        "test set": record.get("test_set"),
        "initial weights": initial.get("digest"),
        "teacher": teacher.get("digest"),
        "judges in training": ", ".join(str(judge.get("digest")) for judge in parents.get("judges") or []),
        "weights": record["model"].get("weights_sha256"),
    }


def _changed_rows(one: Lineage, other: Lineage, files: Mapping[str, Pair], paths: Paths) -> list[FileRows] | None:
    """The rows that differ, with their texts where files with the same bytes are at hand."""
    if not files:
        return []
    before, after = one.read_rows(paths), other.read_rows(paths)
    if before is None or after is None:
        return None
    return [
        _with_texts(rows, _find_file(one.record, rows.file, paths), _find_file(other.record, rows.file, paths))
        for rows in compare_corpora(before, after)
    ]


def _with_texts(rows: FileRows, before: Path | None, after: Path | None) -> FileRows:
    shown = rows.changes[:MAX_TEXTS]
    old = _texts(before, [change.line_before or change.line for change in shown if change.kind != "added"])
    new = _texts(after, [change.line for change in shown if change.kind != "removed"])

    def fill(change: RowChange) -> RowChange:
        if change.kind == "removed":
            return replace(change, text=old.get(change.line, ""))
        text_before = old.get(change.line_before, "") if change.kind == "changed" else ""
        return replace(change, text=new.get(change.line, ""), text_before=text_before)

    return replace(rows, changes=(*map(fill, shown), *rows.changes[MAX_TEXTS:]))


def _texts(file: Path | None, lines: Sequence[int]) -> dict[int, str]:
    return read_rows_at(file, set(lines)) if file is not None and lines else {}


def _find_file(record: Mapping[str, Any], name: str, paths: Paths) -> Path | None:
    """A corpus file with the recorded bytes: the workspace's, or one in DVC's cache."""
    known = record["corpus"]["files"].get(name)
    return None if known is None else find_cached(paths.root / record["corpus"]["path"] / name, known, paths.root)
