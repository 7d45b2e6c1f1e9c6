"""``tokenize``: makes or keeps subword models, and encodes every split as memory-mapped ids (recordings as frames)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from seq2seq_core import atomic
from seq2seq_core.artifacts import MONOLINGUAL, SPLITS, Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.config.tokenize import TokenizeSection
from seq2seq_core.console import ProgressMode, progress
from seq2seq_core.corpus.pairs import SOURCE, TARGET, count_lines, iterate_pairs, iterate_sentences
from seq2seq_core.drift.profiling import CorpusProfiler
from seq2seq_core.errors import CorpusError, TagError, UserError
from seq2seq_core.normal_form import NormalForm, load_normal_form
from seq2seq_core.recorder import Recorder
from seq2seq_core.stages.tokenizer_making import make_tokenizers
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
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.tokenization.tags import TagColumns, Tags
from seq2seq_core.tokenization.vocabulary_coverage import check_coverage


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
        ContractViolation: the vocabulary covers too little of a split.
        UserError: train has no text, all its pairs are too long, a vocabulary is too small or not the one that the settings
            describe, a recording cannot be used, or a mel band is empty.
        BundleError, TrackingUnreachable: the model whose vocabulary is kept cannot be used or fetched.
    """
    section = settings.tokenize
    tags = TagColumns(
        source=tuple(section.source_tags),
        target=tuple(section.target_tags),
        separator=section.tag_separator,
        unknown=section.unknown_tags,
    )
    languages, normal_form = paths.prepared_languages(), load_normal_form(paths.prepared_normal_form)
    tokenizers = make_tokenizers(section, tags, normal_form, languages, paths, recorder)
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
    check_coverage(path, counts, tokenizers, section)
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
