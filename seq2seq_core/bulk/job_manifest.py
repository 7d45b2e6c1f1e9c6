"""``_s2s_job.json`` of an output folder: what the job was asked for, and the shards that are finished.

Names that begin with ``_`` or ``.`` are no data to readers of folders, such as pyarrow, pandas and DuckDB.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, NonNegativeInt, PositiveInt, ValidationError

from seq2seq_core import atomic
from seq2seq_core.bulk.input_files import OUTPUT_FORMATS, shard_names
from seq2seq_core.errors import UserError
from seq2seq_core.tokenization.manifest import file_digest

MANIFEST_NAME, LOCK_NAME = "_s2s_job.json", ".s2s_job.lock"


def _check_inside(name: str) -> str:
    """A name of a file, which must lie in the folder that it is relative to."""
    path = PurePosixPath(name)
    if not path.name or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise ValueError(f"must be the name of a file in the folder, got {name!r}")
    return name


def _check_format(name: str) -> str:
    if name not in OUTPUT_FORMATS:
        raise ValueError(f"must be one of {', '.join(OUTPUT_FORMATS)}, got {name!r}")
    return name


FileName = Annotated[str, AfterValidator(_check_inside)]
"""A name of a file inside a folder: a manifest may come from elsewhere, and files are deleted by it."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InputRecord(_Record):
    """An input file."""

    name: FileName
    """Its name, relative to the folder that was given."""
    sha256: str
    """Digest of its bytes."""
    num_rows: NonNegativeInt
    """Its rows, those that cannot be read included."""
    columns: dict[str, str]
    """Its columns, with what their values have in common."""
    output_format: Annotated[str, AfterValidator(_check_format)]
    """The format of its shards."""


class JobRecord(_Record):
    """What shapes the output of a job."""

    bundle_digest: str
    """The model's digest."""
    options: dict[str, Any]
    """The decoding options."""
    tags: dict[str, str]
    """The tag columns of rows that have none of their own."""
    phrases: dict[str, Any] = {}
    """The phrases that are forced and forbidden, and the glossary; empty: none."""
    source_column: str
    """The source's column."""
    output_column: str
    """The column of the predictions."""
    shard_rows: PositiveInt
    """Rows of a shard."""
    batch_sentences: PositiveInt
    """Rows that are decoded together."""
    inputs: tuple[InputRecord, ...]
    """The input files, in order."""

    @property
    def num_rows(self) -> int:
        """The rows of all inputs."""
        return sum(one.num_rows for one in self.inputs)

    def shard_names(self) -> list[str]:
        """The names of all shards, in order."""
        return [name for one in self.inputs for name in shard_names(one.name, one.output_format, one.num_rows, self.shard_rows)]


class ShardRecord(_Record):
    """A finished shard."""

    sha256: str
    """Digest of its bytes."""
    num_rows: NonNegativeInt
    """Its rows."""
    num_errors: NonNegativeInt
    """Rows without a prediction."""
    num_cut: NonNegativeInt
    """Rows whose best hypothesis was cut at its length limit."""
    num_withheld: NonNegativeInt = 0
    """Rows whose answer was withheld for its low confidence."""
    first_error: str = ""
    """The error of the first row that has one."""


class Manifest(_Record):
    """The state of a job."""

    format: Literal[1] = 1
    is_complete: bool = False
    """Whether all shards are there."""
    model: str
    """The registered version, or the bundle's folder."""
    engine: str
    """What decodes, with its version, device and type of numbers."""
    job: JobRecord
    """What was asked for."""
    shards: dict[FileName, ShardRecord] = {}
    """The finished shards by file name, in the order in which they were finished."""
    stale: tuple[FileName, ...] = ()
    """Files of an earlier job that are being deleted."""

    def write(self, folder: Path) -> None:
        """Writes the manifest by atomic rename."""
        atomic.write_text(folder / MANIFEST_NAME, self.model_dump_json(indent=1) + "\n")

    def with_shard(self, name: str, shard: ShardRecord) -> Manifest:
        """The manifest with one more finished shard."""
        return self.model_copy(update={"shards": {**self.shards, name: shard}})


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of an output folder; None: it has none.

    Args:
        folder: the output folder.

    Raises:
        UserError: the file is damaged, or of another version.
    """
    try:
        text = (folder / MANIFEST_NAME).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"]))
        raise UserError(
            f"{folder / MANIFEST_NAME}: cannot be read ({place}{': ' * bool(place)}{fault['msg']}); expected that of an earlier "
            "`s2s predict --into`, another folder, or --restart to begin anew beside the files that are there"
        ) from None


def keep_whole_shards(manifest: Manifest, folder: Path) -> tuple[Manifest, list[str]]:
    """The manifest with only the shards that are there as they were written, and the names of the others.

    Args:
        manifest: of the folder.
        folder: the output folder.
    """
    lost = [name for name, shard in manifest.shards.items() if not _is_whole(folder / name, shard)]
    kept = {name: shard for name, shard in manifest.shards.items() if name not in set(lost)}
    is_complete = manifest.is_complete and kept.keys() >= set(manifest.job.shard_names())
    return manifest.model_copy(update={"shards": kept, "is_complete": is_complete}), lost


def _is_whole(path: Path, shard: ShardRecord) -> bool:
    return path.is_file() and not path.is_symlink() and file_digest(path) == shard.sha256


def differences(old: JobRecord, new: JobRecord) -> list[str]:
    """What two jobs do not agree on, a line each.

    Args:
        old: the job of the manifest.
        new: the job that is asked for.
    """
    return list(_differences(old.model_dump(exclude={"inputs"}), new.model_dump(exclude={"inputs"}), "")) + list(
        _input_differences(old, new)
    )


def _differences(old: dict[str, Any], new: dict[str, Any], place: str) -> Iterator[str]:
    for name in dict.fromkeys((*old, *new)):
        before, now = old.get(name), new.get(name)
        if isinstance(before, dict) and isinstance(now, dict):
            yield from _differences(before, now, f"{place}{name}.")
        elif before != now:
            yield f"{place}{name} was {before}, is {now}"


def _input_differences(old: JobRecord, new: JobRecord) -> Iterator[str]:
    before, now = ({one.name: one for one in job.inputs} for job in (old, new))
    for name in dict.fromkeys((*before, *now)):
        if name not in now:
            yield f"input {name} is missing"
        elif name not in before:
            yield f"input {name} is new"
        elif before[name].sha256 != now[name].sha256:
            yield f"input {name} has changed (SHA-256 was {before[name].sha256[:12]}…, is {now[name].sha256[:12]}…)"
        elif before[name] != now[name]:
            yield f"input {name}: format of the output was {before[name].output_format}, is {now[name].output_format}"
    if list(before) != list(now) and before.keys() == now.keys():
        yield "the inputs are in another order"
