"""``tokenize``: trains subword models on train, and encodes every split as memory-mapped ids (recordings as frames)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

from seq2seq_core import atomic
from seq2seq_core.artifacts import MONOLINGUAL, SPLITS, Paths
from seq2seq_core.audio.front_end import FrontEnd
from seq2seq_core.audio.recording_reader import RecordingReader
from seq2seq_core.audio.sound_file import RecordingError, read_sample_rate
from seq2seq_core.config.settings import Settings
from seq2seq_core.config.tokenize import AudioSettings, TokenizeSection
from seq2seq_core.console import ProgressMode, progress
from seq2seq_core.corpus.pairs import SOURCE, TARGET, count_lines, iterate_pairs, iterate_sentences
from seq2seq_core.drift.profiling import CorpusProfiler
from seq2seq_core.errors import CorpusError, TagError, UserError
from seq2seq_core.normal_form import NormalForm, load_normal_form
from seq2seq_core.recorder import Recorder
from seq2seq_core.tokenization.description import flatten, make_manifest, make_report, source_info
from seq2seq_core.tokenization.encode import (
    LengthLimits,
    PairChunk,
    SentenceCounts,
    SplitCounts,
    Tokenizers,
    encode_sentences,
    encode_split,
    in_chunks,
)
from seq2seq_core.tokenization.languages import MASK_TAG, language_columns
from seq2seq_core.tokenization.subword import SubwordModel, train_subword
from seq2seq_core.tokenization.tags import TagColumns, Tags, collect_tags
from seq2seq_core.tokenization.unknown_targets import too_many_unknown

logger = logging.getLogger(__name__)

UNKNOWN_WARNING_FRACTION = 0.01


@dataclass(frozen=True)
class TokenizeResult:
    """The result of ``tokenize``.

    Attributes:
        source_vocabulary_size: number of ids of the source side; 0 where the sources are frames.
        target_vocabulary_size: number of ids of the target side.
        pairs: number of pairs written, by split.
        dropped_too_long: number of train pairs dropped because a side was too long.
    """

    source_vocabulary_size: int
    target_vocabulary_size: int
    pairs: dict[str, int]
    dropped_too_long: int


def run_tokenize(settings: Settings, paths: Paths, recorder: Recorder) -> TokenizeResult:
    """Writes ``data/tokenized``, ``reports/tokenize.json`` and ``reports/corpus_profile.json``.

    Args:
        settings: the section ``tokenize``; of ``runtime`` the progress display.
        paths: the workspace; reads ``data/prepared``, writes ``data/tokenized`` and both reports.
        recorder: receives the report and its figures.

    Raises:
        MissingInput: a prepared split is missing.
        CorpusError: a pair lacks a tag column, or has a tag that train does not have.
        ContractViolation: a split has too many unknown target symbols.
        UserError: train has no text, all its pairs are too long, a vocabulary is too small, a recording cannot be used, or a mel
            band is empty.
    """
    section = settings.tokenize
    tags = TagColumns(
        source=tuple(section.source_tags),
        target=tuple(section.target_tags),
        separator=section.tag_separator,
        unknown=section.unknown_tags,
    )
    languages, normal_form = paths.prepared_languages(), load_normal_form(paths.prepared_normal_form)
    tokenizers = _train_tokenizers(section, tags, normal_form, languages, paths)
    source_model = tokenizers.source if isinstance(tokenizers.source, SubwordModel) else None
    profiler = CorpusProfiler(count_lines(paths.prepared_split("train")), has_recordings=source_model is None)
    with atomic.new_folder(paths.tokenized) as draft:
        if source_model is not None:
            source_model.save(draft / "source.model")
        tokenizers.target.save(draft / "target.model")
        counts = {
            split: _encode(split, tokenizers, tags, normal_form, section, paths, draft, settings.runtime.progress, profiler)
            for split in SPLITS
        }
        sentences = {
            language: _encode_sentences(language, tokenizers, section, paths, draft, settings.runtime.progress)
            for language in languages
        }
        _check_train(counts["train"], section, has_sentences=bool(languages))
        _copy_dev_texts(paths, section.group_columns, draft)
        make_manifest(tokenizers, counts, sentences, section, tags, normal_form, draft).save(draft)
    report = make_report(tokenizers, counts, sentences, is_cut=section.long_source != "drop")
    atomic.write_text(paths.tokenize_report, json.dumps(report, indent=1) + "\n")
    atomic.write_text(paths.corpus_profile, profiler.profile(source_model, tokenizers.target).to_json())
    recorder.log_metrics(flatten(report))
    recorder.log_file(paths.tokenize_report, "reports")
    return TokenizeResult(
        source_vocabulary_size=source_info(tokenizers).vocabulary_size,
        target_vocabulary_size=tokenizers.target.vocabulary_size,
        pairs={split: count.pairs for split, count in counts.items()},
        dropped_too_long=counts["train"].dropped_too_long,
    )


def _sentences(paths: Paths, languages: Sequence[str]) -> Iterator[str]:
    """The monolingual sentences of some languages, one language after the other."""
    return chain.from_iterable(iterate_sentences(paths.prepared_sentences(language)) for language in languages)


def _texts(paths: Paths, *sides: str) -> Iterator[str]:
    """The texts of train, one side after the other."""
    return chain.from_iterable((pair[side] for pair in iterate_pairs(paths.prepared_split("train"))) for side in sides)


def _train_tokenizers(
    section: TokenizeSection, tags: TagColumns, normal_form: NormalForm, languages: Sequence[str], paths: Paths
) -> Tokenizers:
    logger.info("making the subword models from train")
    if section.audio is not None:
        reader = RecordingReader(_open_front_end(section.audio, paths), paths.prepared_audio)
        target_tags = _collect_tags(paths, tags.target, tags.separator, normal_form)
        return Tokenizers(reader, train_subword(_texts(paths, TARGET), section.target, "tokenize.target", target_tags))
    if section.joint:
        texts = chain(_texts(paths, SOURCE, TARGET), _sentences(paths, languages))
        symbols = _collect_tags(paths, tags.all, tags.separator, normal_form, languages) + ([MASK_TAG] if languages else [])
        model = train_subword(texts, section.source, "tokenize.source", symbols)
        return Tokenizers(model, model)
    source_tags, target_tags = (
        _collect_tags(paths, columns, tags.separator, normal_form) for columns in (tags.source, tags.target)
    )
    return Tokenizers(
        train_subword(_texts(paths, SOURCE), section.source, "tokenize.source", source_tags),
        train_subword(_texts(paths, TARGET), section.target, "tokenize.target", target_tags),
    )


def _open_front_end(settings: AudioSettings, paths: Paths) -> FrontEnd:
    """The audio front end, at the first recording's sample rate; ``prepare`` has checked that all recordings have it."""
    first = next(iterate_pairs(paths.prepared_split("train")), None)
    if first is None:
        raise UserError(f"{paths.prepared_split('train')}: train has no pair, expected at least one")
    path = paths.prepared_audio / first[SOURCE]
    try:
        front_end = FrontEnd(sample_rate=read_sample_rate(path), settings=settings)
    except RecordingError as error:
        raise UserError(f"{path}: {error}; `s2s prepare` (or `dvc repro prepare`) puts it there") from None
    try:
        logger.info("a frame of %d features every %g ms", front_end.frame_width, 1000 * front_end.frame_seconds)
    except ValueError as error:
        raise UserError(f"tokenize.audio.num_mels: {error}; expected fewer bands, or a longer window_ms") from None
    return front_end


def _collect_tags(
    paths: Paths, columns: Sequence[str], separator: str, normal_form: NormalForm, languages: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """The tags in columns of train, and those of the languages of monolingual sentences."""
    rows = chain(iterate_pairs(paths.prepared_split("train")), (language_columns(language, language) for language in languages))
    return collect_tags(rows, columns, separator, normal_form) if columns else []


def read_chunks(
    path: Path, tokenizers: Tokenizers, tags: TagColumns, normal_form: NormalForm, group_columns: Sequence[str]
) -> Iterator[PairChunk]:
    """The pairs of a prepared split, with their tags and groups; those of dev alternate between groups where there are any.

    Args:
        path: a file that ``s2s prepare`` wrote.
        tokenizers: of the two sides; decide how many pairs a chunk has.
        tags: the columns that become tags.
        normal_form: the normal form of their values.
        group_columns: the columns whose values name a pair's group.
    """
    source_model = tokenizers.source if isinstance(tokenizers.source, SubwordModel) else None
    source_tags = Tags(tags.source, source_model, tags.separator, tags.unknown, normal_form)
    target_tags = Tags(tags.target, tokenizers.target, tags.separator, tags.unknown, normal_form)
    for numbered in in_chunks(_number_pairs(path, group_columns), tokenizers.chunk_pairs):
        pairs = [pair for _, pair in numbered]
        ids: list[tuple[list[int], list[int]]] = []
        for line, pair in numbered if tags.all else ():
            try:
                ids.append((source_tags.ids(pair), target_tags.ids(pair)))
            except TagError as error:
                raise CorpusError(f"{error} (tokenize.source_tags, tokenize.target_tags)", path, line) from None
        yield PairChunk(
            sources=[pair[SOURCE] for pair in pairs],
            targets=[pair[TARGET] for pair in pairs],
            source_tags=[own for own, _ in ids],
            target_tags=[own for _, own in ids],
            groups=[_group(pair, group_columns, path, line) for line, pair in numbered] if group_columns else (),
        )
    for side in (source_tags, target_tags):
        side.warn_of_ignored(path.stem)


def _number_pairs(path: Path, group_columns: Sequence[str]) -> Iterable[tuple[int, dict[str, str]]]:
    """The pairs of a split with their line numbers; dev pairs alternate between groups where there are any.

    Training decodes the first sentences of dev. Without alternation they could all belong to one group.
    """
    pairs = enumerate(iterate_pairs(path), start=1)
    if not group_columns or path.stem != "dev":
        return pairs
    groups: dict[str, list[tuple[int, dict[str, str]]]] = {}
    for line, pair in pairs:
        groups.setdefault(_group(pair, group_columns, path, line), []).append((line, pair))
    return (numbered for turn in zip_longest(*groups.values()) for numbered in turn if numbered is not None)


def _group(pair: dict[str, str], group_columns: Sequence[str], path: Path, line: int) -> str:
    """The name of a pair's group; empty where there are no group columns."""
    if missing := [column for column in group_columns if column not in pair]:
        raise CorpusError(f"expected a column {missing[0]!r} (tokenize.group_columns), got {', '.join(pair)}", path, line)
    return " ".join(pair[column] for column in group_columns)


def _encode(
    split: str,
    tokenizers: Tokenizers,
    tags: TagColumns,
    normal_form: NormalForm,
    section: TokenizeSection,
    paths: Paths,
    draft: Path,
    mode: ProgressMode,
    profiler: CorpusProfiler,
) -> SplitCounts:
    path = paths.prepared_split(split)
    chunks = read_chunks(path, tokenizers, tags, normal_form, section.group_columns if split != "test" else [])
    chunks = profiler.watch(chunks) if split == "train" else chunks
    has_groups = split == "train" and bool(section.group_columns)
    with progress(f"tokenize {split}", count_lines(path), "pairs", mode) as shown:
        counts = encode_split(chunks, tokenizers, draft, split, _limits(section, split), has_groups, shown.update)
    for name, side in (("source", counts.source), ("target", counts.target)):
        if side.unknown_fraction > UNKNOWN_WARNING_FRACTION:
            logger.warning(
                "%s: %.1f %% of the %s tokens are unknown to the vocabulary (tokenize.%s: vocabulary_size, character_coverage)",
                split, 100 * side.unknown_fraction, name, "source" if section.joint else name,
            )  # fmt: skip
    if counts.target.unknown_fraction > section.max_unknown_target_fraction:
        raise too_many_unknown(path, tokenizers.target, counts.target.unknown_fraction, section)
    return counts


def _encode_sentences(
    language: str, tokenizers: Tokenizers, section: TokenizeSection, paths: Paths, draft: Path, mode: ProgressMode
) -> SentenceCounts:
    """Encodes the monolingual sentences of a language and writes their ids."""
    path, name = paths.prepared_sentences(language), f"{MONOLINGUAL}.{language}"
    # A sentence is also used as a source, after one tag per source tag column.
    limit = min(section.max_source_tokens - len(section.source_tags), section.max_target_tokens)
    with progress(f"tokenize {name}", count_lines(path), "sentences", mode) as shown:
        counts = encode_sentences(iterate_sentences(path), tokenizers.target, draft, name, limit, shown.update)
    if not counts.text.rows:
        raise UserError(
            f"tokenize.max_source_tokens, tokenize.max_target_tokens: all {counts.dropped_too_long} sentences of {name} are "
            f"longer than {limit} tokens, expected at least one that is not"
        )
    return counts


def _limits(section: TokenizeSection, split: str) -> LengthLimits:
    """The length limits of a split, for dropping pairs and for cutting sources."""
    is_train, is_cut = split == "train", section.long_source != "drop"
    return LengthLimits(
        source=section.max_source_tokens if is_train else None,
        target=section.max_target_tokens if is_train else None,
        cut_source=section.max_source_tokens if is_cut else None,
        keeps_end=section.long_source == "truncate_start",
    )


def _check_train(counts: SplitCounts, section: TokenizeSection, has_sentences: bool) -> None:
    if counts.pairs or (has_sentences and not counts.dropped_too_long):
        return
    raise UserError(
        f"tokenize.max_source_tokens, tokenize.max_target_tokens: all {counts.dropped_too_long} train pairs are longer than "
        f"{section.max_source_tokens} source or {section.max_target_tokens} target tokens, expected at least one that is not"
    )


def _copy_dev_texts(paths: Paths, group_columns: Sequence[str], draft: Path) -> None:
    """Writes ``dev.jsonl``, so that ``train`` can score decoded text without the prepared corpus."""
    with (draft / "dev.jsonl").open("w", encoding="utf-8", newline="\n") as file:
        for _, pair in _number_pairs(paths.prepared_split("dev"), group_columns):
            file.write(json.dumps({SOURCE: pair[SOURCE], TARGET: pair[TARGET]}, ensure_ascii=False) + "\n")
