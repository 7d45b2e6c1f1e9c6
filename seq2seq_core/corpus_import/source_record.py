"""The record of where a corpus comes from: ``SOURCE.yaml`` in its folder, and what git keeps of it in the ``.dvc`` file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from seq2seq_core.atomic import write_text
from seq2seq_core.config.yaml_text import YamlError, parse_document, parse_yaml, write_document, write_inline
from seq2seq_core.corpus_import.checksums import compute

SOURCE_FILE = "SOURCE.yaml"
NOT_STATED = "not stated"
_HEAD = "# Where this corpus comes from. Written by `s2s import`; the command below makes the same files again.\n"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Fetched(_Part):
    """A file as it was fetched."""

    name: str
    url: str
    """Without credentials."""
    bytes: int
    sha256: str


class Imported(_Part):
    """A file of the corpus folder."""

    bytes: int
    sha256: str


class SourceRecord(_Part):
    """Where a corpus comes from, and how to import it again."""

    kind: Literal["opus", "huggingface", "urls"]
    source: str
    """The corpus in words."""
    version: str
    """What pins it: a release, a revision, or a digest of the fetched files."""
    licence: str
    page: str = ""
    command: str
    """Imports the same version again."""
    request: dict[str, str]
    """What was asked for, the version left out."""
    downloads: list[Fetched]
    files: dict[str, Imported]

    @property
    def digest(self) -> str:
        """A digest of the names and the bytes of all files."""
        lines = (f"{name} {file.sha256}\n" for name, file in sorted(self.files.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def in_words(self) -> str:
        """Source, version and licence on one line."""
        return f"{self.source}, version {self.version}; licence: {self.licence}"


def write_record(record: SourceRecord, folder: Path) -> None:
    """Writes the record into the folder of its corpus.

    Args:
        record: the record.
        folder: the corpus folder, or its draft.
    """
    # By a rename: the file may be a link into DVC's cache, whose bytes must stay.
    write_text(folder / SOURCE_FILE, _HEAD + "".join(_lines_of(record)))


def _lines_of(record: SourceRecord) -> Iterator[str]:
    """The record as YAML, an entry a line: a command or an address that is broken into lines cannot be copied."""
    for name, value in record.model_dump().items():
        if isinstance(value, dict) and value:
            yield f"{name}:\n"
            yield from (f"  {write_inline(key)}: {write_inline(one)}\n" for key, one in value.items())
        elif isinstance(value, list) and value:
            yield f"{name}:\n"
            yield from (f"- {write_inline(one)}\n" for one in value)
        else:
            yield f"{name}: {write_inline(value)}\n"


def read_record(folder: Path) -> SourceRecord | None:
    """The record in a corpus folder; None where there is none that can be read.

    Args:
        folder: may be missing.
    """
    try:
        return SourceRecord.model_validate(parse_yaml((folder / SOURCE_FILE).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, YamlError, ValidationError):
        return None


def read_sources(folder: Path) -> list[SourceRecord]:
    """The records of a corpus folder and of the folders right inside it: a corpus may be put together from several imports.

    Args:
        folder: may be missing.
    """
    places = [folder, *sorted(place.parent for place in folder.glob(f"*/{SOURCE_FILE}"))]
    return [record for place in places if (record := read_record(place)) is not None]


def describe_files(folder: Path) -> dict[str, Imported]:
    """Size and SHA-256 of each file of a folder but the record, by name.

    Args:
        folder: the corpus folder, or its draft.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    described = {path.relative_to(folder).as_posix(): path for path in files}
    return {
        name: Imported(bytes=path.stat().st_size, sha256=compute(path, "sha256").digest)
        for name, path in described.items()
        if name != SOURCE_FILE
    }


def dvc_file(folder: Path) -> Path:
    """The file by which DVC tracks a folder.

    Args:
        folder: the corpus folder.
    """
    return folder.with_name(f"{folder.name}.dvc")


def read_pin(folder: Path) -> Mapping[str, str]:
    """What git keeps of an import: ``source``, ``version``, ``licence``, ``command`` and ``digest``; empty without an import.

    Args:
        folder: the corpus folder, which may be missing, as in a fresh clone.
    """
    try:
        content: Any = parse_yaml(dvc_file(folder).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YamlError):
        return {}
    meta = content.get("meta") if isinstance(content, dict) else None
    pin = meta.get("import") if isinstance(meta, dict) else None
    return {str(key): str(value) for key, value in pin.items()} if isinstance(pin, dict) else {}


def write_pin(record: SourceRecord, folder: Path) -> None:
    """Puts the pin of an import into the ``.dvc`` file of its folder; DVC keeps what it finds under ``meta``.

    Args:
        record: of the import.
        folder: the corpus folder, which DVC tracks.
    """
    file = dvc_file(folder)
    document = parse_document(file.read_text(encoding="utf-8"))
    pin = {name: getattr(record, name) for name in ("source", "version", "licence", "command", "digest")}
    document["meta"] = {**(document.get("meta") or {}), "import": pin}
    write_text(file, write_document(document))
