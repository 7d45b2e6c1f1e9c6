"""``manifest.json`` of the tokenised corpus: the sizes, counts and digests that a reader needs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from seq2seq_core.audio.front_end import FrontEnd
from seq2seq_core.audio.speech.speech_front_end import SpeechFrontEnd
from seq2seq_core.errors import MissingInput, UserError
from seq2seq_core.normal_form import AS_IT_IS, NormalForm
from seq2seq_core.pictures.picture_front_end import PictureFrontEnd
from seq2seq_core.tokenization.tags import TagColumns

MANIFEST_FILE = "manifest.json"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceInfo(_Part):
    """The source side."""

    kind: Literal["ids", "frames"] = "ids"
    """Token ids or feature frames."""
    vocabulary_size: int
    """Number of ids, special ones included; 0 for frames."""
    audio: FrontEnd | None = None
    """How recordings became frames; None for ids, and for frames of another origin."""
    pictures: PictureFrontEnd | None = None
    """How pictures became frames; None for ids and other frames. Left out of the file in that case."""


class TargetInfo(_Part):
    """The target side."""

    vocabulary_size: int
    """Number of ids, special ones included; 0 for frames."""
    speech: SpeechFrontEnd | None = None
    """How recordings became frames, and frames become sound; None: the targets are ids. Left out of the file in that case."""


class SplitInfo(_Part):
    """How much a split holds."""

    pairs: int
    """Number of pairs."""
    source_tokens: int
    """Ids of all sources, the eos of each included; or frames."""
    target_tokens: int
    """Ids of all targets, the eos of each included."""


class SentencesInfo(_Part):
    """How much a monolingual corpus holds."""

    sentences: int
    """Number of sentences."""
    tokens: int
    """Ids of all sentences, the eos of each included."""


class Manifest(_Part):
    """The whole of ``manifest.json``."""

    format_version: Literal[1] = 1
    """Version of the folder's layout."""
    source: SourceInfo
    """The source side."""
    target: TargetInfo
    """The target side."""
    joint: bool
    """Whether both sides share one vocabulary."""
    tags: TagColumns = TagColumns()
    """The columns whose values are symbols before the ids."""
    normal_form: NormalForm = AS_IT_IS
    """The normal form of the texts; a model trained on them applies it to every later input."""
    groups: dict[str, int] = {}
    """Pairs of each group of train, by the values of its columns, in the order of the groups' numbers; empty: there are none."""
    max_source_tokens: int | None = None
    """Length to which longer sources are cut, in ids (tags and eos included) or frames; None: no cut."""
    keeps_source_end: bool = False
    """Whether a cut source keeps its end instead of its beginning."""
    splits: dict[str, SplitInfo]
    """Counts by split."""
    monolingual: dict[str, SentencesInfo] = {}
    """Counts of monolingual sentences by language."""
    digests: dict[str, str]
    """SHA-256 of every other file of the folder, by name."""

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """The manifest of a tokenised corpus.

        Args:
            folder: a folder that ``s2s tokenize`` wrote.

        Raises:
            MissingInput: the folder has no manifest.
            UserError: the manifest has another format.
        """
        path = folder / MANIFEST_FILE
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise MissingInput(f"{path}: no such file; `s2s tokenize` (or `dvc repro tokenize`) makes it") from None
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
            raise UserError(f"{path}: not a manifest of format 1 ({faults}); `s2s tokenize` makes it anew") from None

    def save(self, folder: Path) -> None:
        """Writes ``manifest.json``."""
        pictures, speech = self.source.pictures, self.target.speech
        absent = {"source": {"pictures"} if pictures is None else set(), "target": {"speech"} if speech is None else set()}
        (folder / MANIFEST_FILE).write_text(self.model_dump_json(indent=1, exclude=absent) + "\n", encoding="utf-8")


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file directly in a folder except the manifest, by name, sorted."""
    return {path.name: file_digest(path) for path in sorted(folder.iterdir()) if path.is_file() and path.name != MANIFEST_FILE}
