"""``corpus``: which files hold the pairs and how they are laid out."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from seq2seq_core.config.frames.picture_settings import PictureFiles
from seq2seq_core.config.section import Section, Side
from seq2seq_core.config.speech.speech_settings import TargetKind

FileNames = str | tuple[str, str]
"""A file name inside the corpus folder, or ``[source_file, target_file]`` for two aligned text files."""


class FileWithColumns(Section):
    """A file with constant columns: all of its rows get the same values, such as the language of the file."""

    file: FileNames
    """The file, or two aligned ones."""
    columns: dict[str, str] = Field(min_length=1)
    """Columns that the file itself lacks, with the value that each row gets."""


def _form(entry: object) -> str:
    """Which of the two forms an item of ``corpus.files`` has, so that its faults are about that form alone."""
    return "mapping" if isinstance(entry, dict | FileWithColumns) else "names"


FileEntry = Annotated[Annotated[FileNames, Tag("names")] | Annotated[FileWithColumns, Tag("mapping")], Discriminator(_form)]
"""A file (or two aligned ones), or a mapping of it and of its constant columns."""


def names_of(entry: FileEntry) -> tuple[str, ...]:
    """The file names of an item of ``corpus.files``: one, or the source's and the target's."""
    names = entry.file if isinstance(entry, FileWithColumns) else entry
    return (names,) if isinstance(names, str) else names


def constants_of(entry: FileEntry) -> dict[str, str]:
    """The constant columns of an item of ``corpus.files``, with their values."""
    return entry.columns if isinstance(entry, FileWithColumns) else {}


SourceKind = Literal["text", "audio", "image"]
"""Kind of the sources: texts, or names of recordings or of pictures."""
CorpusFormat = Literal["auto", "tsv", "csv", "jsonl", "parquet", "text"]


class Conversations(Section):
    """Files whose rows are the turns of conversations; each turn but the first becomes the target of the turns before it."""

    id_column: str = Field(default="conversation", min_length=1)
    """Column that names the conversation of a turn; the rows of a conversation must be contiguous in a file."""
    order_column: str = "turn"
    """Column with a number by which the turns of a conversation are ordered; empty: the rows are in order."""
    text_column: str = Field(default="text", min_length=1)
    """Column with the text of a turn; ``corpus.source_column`` and ``corpus.target_column`` are not used."""
    context_turns: int = Field(default=3, ge=1)
    """Number of preceding turns that make a source; fewer at the beginning of a conversation."""
    separator: str = Field(default=" ⏎ ", min_length=1, pattern=r"^[^\n\r]*$")
    """Separator of the turns in a source, without line ends."""
    speaker_column: str = ""
    """Column that names who speaks; read only with ``replies_by``."""
    replies_by: list[str] = []
    """Speakers whose turns are targets; empty: all."""

    @model_validator(mode="after")
    def _speakers_have_a_column(self) -> Self:
        if self.replies_by and not self.speaker_column:
            raise ValueError(f"speaker_column must be given with replies_by {self.replies_by}, got nothing")
        return self


class CorpusFiles(Section):
    """The files of each split. An empty ``dev`` or ``test`` is carved out of ``train`` by a hash of the source."""

    train: list[FileEntry]
    """Files with the training pairs (or with all pairs, where dev and test are carved out). An item is a name,
    ``[source_file, target_file]``, or ``{file: ..., columns: {source_language: es}}``, which gives each row those columns too. May
    be empty beside ``monolingual``."""
    dev: list[FileEntry] = []
    """Files with the development pairs; empty: ``prepare.dev_fraction`` of train."""
    test: list[FileEntry] = []
    """Files with the test pairs; empty: ``prepare.test_fraction`` of train."""


class MonolingualFile(Section):
    """A file with sentences of one language, inside the corpus folder."""

    file: str
    """Its name. The lines of a text file are sentences; of a ``.tsv`` or ``.jsonl`` file one column holds them. ``.gz`` is
    unpacked."""
    language: str = Field(pattern=r"^[A-Za-z0-9]+([_-][A-Za-z0-9]+)*$")
    """Name of the language, as the columns ``source_language`` and ``target_language`` of pairs have it."""
    column: str | Annotated[int, Field(ge=1)] | None = None
    """Of a TSV file, the name of the column in its first line, or the column's number from 1 where no line names columns; of a JSON
    lines file, the key."""


class CorpusSection(Section):
    """Where the corpus is and how a row is read."""

    path: str = Field(min_length=1)
    """Folder of the corpus, relative to the workspace or absolute."""
    files: CorpusFiles
    """File names inside the folder, a list for each split."""
    format: CorpusFormat = "auto"
    """Layout of the files; ``auto`` follows the file's ending (.tsv .csv .jsonl .parquet; .gz is unpacked) and takes two files that
    are named together for aligned text."""
    header: bool = True
    """Whether the first row of a TSV or CSV file names its columns."""
    delimiter: str = Field(default="", pattern=r'^[^\n\r"]*$')
    """Text between the cells of a TSV or CSV file, such as ``;``; empty: a TAB in TSV, a comma in CSV. Of CSV, whose cells may be
    quoted, it is one character."""
    comment_prefix: str = Field(default="", pattern=r"^[^\n\r]*$")
    """Beginning of the lines of a TSV or CSV file before its first row (or header) that are no rows, such as ``#`` or Excel's
    ``sep=``; empty: there are none."""
    columns: list[str] = []
    """The names of the columns of a TSV or CSV file without a header; empty: the source, then the target."""
    source_column: str = "source"
    """Name of the column that holds the source. In JSON lines and Parquet, ``translation.en`` is ``en`` in the object of
    ``translation``."""
    target_column: str = "target"
    """Name of the column that holds the target."""
    languages: dict[Side, str] = {}
    """The languages of the sides, for the contract ``other_language``, such as ``{source: en, target: de}`` (ISO 639)."""
    max_malformed_fraction: float = Field(default=0.0, ge=0.0, lt=1.0)
    """The largest share of a file's lines that may be set aside because they cannot be read, such as lines with another number of
    cells. ``validate`` warns of them, no stage reads them."""
    both_directions: bool = False
    """Whether each pair of train is also used with its sides, and its columns ``source_language`` and ``target_language``,
    exchanged, so that one model learns both directions; dev and test stay unchanged."""
    monolingual: list[MonolingualFile] = []
    """Sentences without translations, for phases by ``denoising`` and ``back_translation``; they need ``tokenize.joint`` and
    ``target_language`` among ``tokenize.source_tags``."""
    source_kind: SourceKind = "text"
    """Kind of the sources: a text, or the name of a file, relative to the corpus folder: (``audio``) of a recording, a WAV or FLAC
    file of one channel, 16-bit PCM; (``image``) of a picture, such as PNG or JPEG."""
    sample_rate: int = Field(default=16_000, ge=1000, le=384_000)
    """Samples per second that every recording must have; ``audio`` only."""
    pictures: PictureFiles | None = None
    """Which picture files are accepted; ``image`` only. Left out: as the defaults say."""
    target_kind: TargetKind = "text"
    """Kind of the targets: a text, or (``audio``) the name of a recording that says the source: speech to learn. Any file that
    libsndfile reads, relative to the corpus folder."""
    resample: bool = True
    """Whether recordings that are targets may have another rate than ``sample_rate``, or several channels: they are resampled, and
    their channels averaged."""
    input_columns: list[str] = []
    """Columns that are part of the model's input, such as those of ``tokenize.source_tags``. Pairs of the same source that differ
    there count as different, in the contracts about repetitions and leakage and in ``prepare.deduplicate`` and ``prepare.leakage``.
    Splits that are carved out depend on the source alone."""
    conversations: Conversations | None = None
    """For files whose rows are turns of conversations instead of pairs."""

    @field_validator("files")
    @classmethod
    def _files_are_inside_the_folder(cls, files: CorpusFiles) -> CorpusFiles:
        for entry in (*files.train, *files.dev, *files.test):
            for name in names_of(entry):
                if PurePath(name).is_absolute() or ".." in PurePath(name).parts or not name:
                    raise ValueError(f"must be names inside the corpus folder (corpus.path), got {name!r}")
        return files

    @field_validator("monolingual")
    @classmethod
    def _monolingual_files_are_inside_the_folder(cls, monolingual: list[MonolingualFile]) -> list[MonolingualFile]:
        for name in (item.file for item in monolingual):
            if PurePath(name).is_absolute() or ".." in PurePath(name).parts or not name:
                raise ValueError(f"must be names inside the corpus folder (corpus.path), got {name!r}")
        return monolingual

    @model_validator(mode="after")
    def _there_is_something_to_learn_from(self) -> Self:
        if not self.files.train and not self.monolingual:
            raise ValueError("files.train must be a list of at least 1 item(s) unless monolingual has files, got []")
        if not self.files.train and not (self.files.dev and self.files.test):
            raise ValueError("files.dev and files.test must have files where files.train has none to carve them out of")
        if self.both_directions and self.conversations is not None:
            raise ValueError("both_directions must be false with conversations, whose sources are no answers, got true")
        if self.both_directions and self.source_kind != "text":
            noun = {"audio": "recording", "image": "picture"}[self.source_kind]
            raise ValueError(
                f"both_directions must be false with source_kind {self.source_kind!r}, as no {noun} can be a target, got true"
            )
        return self

    @model_validator(mode="after")
    def _constants_are_other_columns(self) -> Self:
        own = {"source", "target", *self.pair_columns, *self.columns}
        for entry in (*self.files.train, *self.files.dev, *self.files.test):
            if taken := own.intersection(constants_of(entry)):
                raise ValueError(
                    f"files: columns of {' + '.join(names_of(entry))} must be other than source, target and those of the file, "
                    f"got {sorted(taken)[0]!r}"
                )
        return self

    @model_validator(mode="after")
    def _turns_have_one_text(self) -> Self:
        if self.conversations is None:
            return self
        if self.source_kind != "text":
            raise ValueError(
                f"source_kind must be 'text' with conversations, whose sources are made of turns; got {self.source_kind!r}"
            )
        if self.max_malformed_fraction:
            raise ValueError("max_malformed_fraction must be 0 with conversations, which a missing turn changes")
        for entry in (*self.files.train, *self.files.dev, *self.files.test):
            if len(names_of(entry)) == 2:
                raise ValueError(f"files: must be single files with conversations, got {list(names_of(entry))}")
        wanted = (self.conversations.id_column, self.conversations.text_column)
        if not self.header and (missing := [name for name in wanted if name not in self.columns]):
            raise ValueError(f"columns must contain {missing[0]!r} (corpus.conversations), got {self.columns}")
        return self

    @property
    def text_sides(self) -> tuple[Side, ...]:
        """The sides of a pair that are texts."""
        if self.target_kind == "audio":
            return ("source",)
        return ("target",) if self.source_kind != "text" else ("source", "target")

    @property
    def pair_columns(self) -> tuple[str, str]:
        """The columns of a file that hold the source and the target; with conversations, the text's twice."""
        if self.conversations is not None:
            return self.conversations.text_column, self.conversations.text_column
        return self.source_column, self.target_column

    @model_validator(mode="after")
    def _columns_match_header(self) -> Self:
        if self.header and self.columns:
            raise ValueError("columns must be empty when header is true")
        if not self.header and self.format in ("tsv", "csv", "auto") and self.columns:
            for name in self.pair_columns:
                if name not in self.columns:
                    raise ValueError(f"columns must contain {name!r}, got {self.columns}")
        if len(self.delimiter) > 1 and self.format != "tsv":
            raise ValueError(f"delimiter must be one character unless format is 'tsv', got {self.delimiter!r}")
        if len(set(self.columns)) != len(self.columns):
            raise ValueError(f"columns must be different from one another, got {self.columns}")
        return self
