"""The survey of a corpus folder: its files are sampled, grouped by layout, and the likeliest group is laid out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote

from seq2seq_core.corpus.file_faults.foreign_formats import format_of_name
from seq2seq_core.corpus_survey.corpus_layout import CorpusLayout, lay_out_aligned, lay_out_tables
from seq2seq_core.corpus_survey.files.aligned_files import AlignedFiles, find_aligned
from seq2seq_core.corpus_survey.files.dialects import is_json_array
from seq2seq_core.corpus_survey.files.file_names import split_of
from seq2seq_core.corpus_survey.files.file_samples import TextSample, head_bytes, read_sample
from seq2seq_core.corpus_survey.files.folder_files import FolderFile, describe_files, list_files
from seq2seq_core.corpus_survey.files.sampled_tables import SampledFile, sample_aligned, sample_parquet, sample_table
from seq2seq_core.corpus_survey.files.told_layout import find_layout
from seq2seq_core.corpus_survey.table_columns import LayoutChoice
from seq2seq_core.errors import UserError

TABLE_ENDINGS = (".tsv", ".csv", ".jsonl", ".ndjson", ".json", ".parquet")
EXPECTED = (
    "expected a table of pairs (.tsv .csv .jsonl .parquet), or two text files that are aligned line by line, such as train.en and "
    "train.de; each plain or .gz, in UTF-8"
)


@dataclass
class _Group:
    """Files of one layout."""

    sampled: list[SampledFile] = field(default_factory=list)
    faults: list[UserError] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    aligned: AlignedFiles | None = None

    @property
    def rank(self) -> tuple[bool, int, int]:
        """The more splits its names tell, and the more rows, the likelier it is the corpus."""
        splits = {split_of(name) for name in self.names}
        return bool(splits & {"train", None}), len(splits - {None}), sum(file.num_rows for file in self.sampled)


def survey_folder(place: Path, chosen: LayoutChoice | None = None) -> CorpusLayout:
    """The likeliest layout of the corpus in a folder.

    Args:
        place: the corpus folder, or one of its files; a bounded sample of each file is read.
        chosen: columns (or words that tell aligned files apart, such as ``en``) and header that the user chooses.

    Raises:
        UserError: nothing there holds pairs, or files cannot be read; says what was found and expected. Or source and target
            are chosen to be the same.
    """
    chosen = chosen or LayoutChoice()
    if chosen.source and chosen.source.lower() == chosen.target.lower():
        raise UserError(f"--source, --target: must be different from one another, got {chosen.source!r} for both")
    folder = folder_of(place)
    files = [file for file in list_files(folder) if place.is_dir() or file.path.name == place.name]
    texts = [file for file in files if file.kind == "text"]
    samples = {file.name: _sample(file, head_bytes(len(texts))) for file in texts}
    groups = _group_aligned(files, samples, folder.name, chosen)
    in_pairs = {name for group in groups.values() for name in group.names}
    _group_tables([file for file in files if file.name not in in_pairs], samples, groups)
    if not groups:
        groups = _group_by_length(files, samples)
    if not groups:
        raise _nothing_found(place, files, samples)
    key, group = max(groups.items(), key=lambda item: item[1].rank)
    _check_faults(group, key, samples, in_pairs)
    layout = _lay_out(group, folder, chosen)
    layout.findings.extend(_describe_left_out([other for other in groups.values() if other is not group], files))
    return layout


def folder_of(place: Path) -> Path:
    """The corpus folder: a folder, or that of a file.

    Raises:
        UserError: there is neither.
    """
    if place.is_dir():
        return place
    if place.is_file():
        return place.parent
    raise UserError(f"{place}: no such folder or file; name the corpus with --corpus FOLDER")


def _describe_left_out(groups: Sequence[_Group], files: Sequence[FolderFile]) -> list[str]:
    """The files that are not read, each with the reason."""
    findings = []
    if others := [name for group in groups if not group.faults for name in group.names]:
        findings.append(f"left out: {', '.join(others[:6])}{' …' if len(others) > 6 else ''}, of another layout (corpus.files)")
    faults = [str(fault) for group in groups for fault in group.faults]
    faults += [f"{file.path}: {foreign.advise(str(file.path))}" for file in files if (foreign := format_of_name(file.name))]
    findings += [f"left out: {fault}" for fault in faults[:6]]
    return findings


def _lay_out(group: _Group, folder: Path, chosen: LayoutChoice) -> CorpusLayout:
    if group.aligned is None:
        try:
            return lay_out_tables(group.sampled, folder, chosen)
        except UserError as error:
            raise UserError(f"{folder / group.names[0]}: {error}") from None
    chosen.refuse_header("two aligned text files have no header")
    layout = lay_out_aligned(group.sampled, group.aligned.sides, group.aligned.task)
    if others := [file.name for file in group.aligned.others]:
        layout.findings.append(f"left out: {', '.join(others)} (--source and --target choose other sides)")
    return layout


def _sample(file: FolderFile, most_bytes: int) -> TextSample | UserError:
    try:
        return read_sample(file.as_corpus_file(), most_bytes)
    except UserError as error:
        return error


def _group_aligned(
    files: Sequence[FolderFile], samples: dict[str, TextSample | UserError], folder_name: str, chosen: LayoutChoice
) -> dict[str, _Group]:
    """The aligned files by the words that tell their sides."""
    groups: dict[str, _Group] = {}
    plain = [file for file in files if file.name in samples and file.ending not in TABLE_ENDINGS]
    for aligned in find_aligned(plain, folder_name, chosen.source, chosen.target):
        group = groups.setdefault(f"aligned {' '.join(aligned.sides)}", _Group(aligned=aligned))
        group.names.append(aligned.files[0].name)
        group.names += [file.name for file in (aligned.files[1], *aligned.others)]
        found = [samples[file.name] for file in aligned.files]
        texts = [sample for sample in found if isinstance(sample, TextSample)]
        if len(texts) == 2:
            group.sampled.append(sample_aligned([file.as_corpus_file() for file in aligned.files], texts))
        group.faults += [sample for sample in found if isinstance(sample, UserError)]
        if group.aligned is not None and aligned is not group.aligned:
            group.aligned = replace(group.aligned, others=(*group.aligned.others, *aligned.others))
    return groups


def _group_tables(files: Sequence[FolderFile], samples: dict[str, TextSample | UserError], groups: dict[str, _Group]) -> None:
    """Adds the tables by their layout."""
    for file in files:
        try:
            sampled = _sample_table(file, samples.get(file.name))
        except UserError as error:
            groups.setdefault(f"faulty {file.ending}", _Group()).faults.append(error)
            groups[f"faulty {file.ending}"].names.append(file.name)
            continue
        if sampled is None or sampled.dialect is None:
            continue
        dialect = sampled.dialect
        key = f"{dialect.format} {sampled.columns if dialect.format == 'parquet' else ''}"
        if dialect.delimiter:
            key = f"table {dialect.delimiter!r} {dialect.width}"
        group = groups.setdefault(key, _Group())
        group.sampled.append(sampled)
        group.names.append(file.name)


def _sample_table(file: FolderFile, sample: TextSample | UserError | None) -> SampledFile | None:
    """The rows of a file; None: it is no table."""
    if file.kind == "parquet":
        return sample_parquet(file.as_corpus_file())
    if isinstance(sample, UserError):
        if file.ending in TABLE_ENDINGS or split_of(file.name):
            raise sample
        return None
    if sample is None:
        return None
    head, dialect = find_layout(file.ending, sample.head)
    if is_json_array(sample.head) and (dialect is None or file.ending == ".json" or len(sample.head) == 1):
        places = quote(str(file.path)), quote(f"{file.path}l")
        raise UserError(
            f"{file.path}: one JSON array; expected a JSON object a line: `jq -c '.[]' {' > '.join(places)}` converts it"
        )
    return None if dialect is None else sample_table(file.as_corpus_file(), dialect, sample, head)


def _group_by_length(files: Sequence[FolderFile], samples: dict[str, TextSample | UserError]) -> dict[str, _Group]:
    """Two text files of equally many lines, where the folder has no others, as aligned files in the order of their names."""
    plain = [(file, sample) for file in files if isinstance(sample := samples.get(file.name), TextSample) and len(sample.head) > 1]
    if len(plain) != 2 or plain[0][1].num_lines != plain[1][1].num_lines or not plain[0][1].is_whole:
        return {}
    first, second = plain[0][0], plain[1][0]
    sides = first.name, second.name
    sampled = sample_aligned([first.as_corpus_file(), second.as_corpus_file()], [sample for _, sample in plain])
    return {"aligned by length": _Group([sampled], [], list(sides), AlignedFiles((first, second), sides, "", ()))}


def _check_faults(group: _Group, key: str, samples: dict[str, TextSample | UserError], in_pairs: set[str]) -> None:
    """Raises the faults of all files that belong to the corpus.

    Raises:
        UserError: there are some.
    """
    faults = list(group.faults)
    endings = {Path(name.removesuffix(".gz")).suffix for name in group.names}
    for name, sample in samples.items():
        is_like = Path(name.removesuffix(".gz")).suffix in endings and not key.startswith("aligned")
        if isinstance(sample, UserError) and sample not in faults and name not in in_pairs and is_like and split_of(name):
            faults.append(sample)
    if faults:
        raise _join(faults)


def _join(faults: Sequence[UserError]) -> UserError:
    """One error that says all."""
    return faults[0] if len(faults) == 1 else UserError("\n".join(map(str, faults)))


def _nothing_found(folder: Path, files: Sequence[FolderFile], samples: dict[str, TextSample | UserError]) -> UserError:
    """Why nothing in a folder can be a corpus."""
    if faults := [sample for sample in samples.values() if isinstance(sample, UserError)]:
        return _join(faults)
    if foreign := [f"{file.path}: {kind.advise(str(file.path))}" for file in files if (kind := format_of_name(file.name))]:
        return UserError("\n".join(foreign[:6]))
    if tables := [told for file in files if (told := _why_no_table(file, samples.get(file.name)))]:
        return UserError("\n".join(tables[:6]))
    message = f"{folder}: found {describe_files(files)}; {EXPECTED}"
    if any(file.kind == "recording" for file in files):
        message += (
            "; recordings need a table that names them, such as rows of `recordings/a.wav`, TAB, and what is said (docs/speech.md)"
        )
    if any(file.kind == "picture" for file in files):
        message += "; pictures need a table that names them, such as rows of `pictures/a.png`, TAB, and their text (docs/images.md)"
    return UserError(message)


def _why_no_table(file: FolderFile, sample: TextSample | UserError | None) -> str:
    """Why a file whose name promises a table holds no columns of pairs; empty: its name promises none."""
    usual = {".tsv": ("\t", "TAB"), ".csv": (",", "comma")}.get(file.ending)
    if usual is None or not isinstance(sample, TextSample):
        return ""
    if any(usual[0] in line for line in sample.head):
        return f"{file.path}: its rows have different numbers of cells; expected a source and a target, separated by {usual[1]}"
    return f"{file.path}: the table has one column; expected two or more, separated by {usual[1]}: source and target"
