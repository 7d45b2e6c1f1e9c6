"""Description of a tokenised corpus: the manifest for later stages, and the figures of the report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seq2seq_core.artifacts import MONOLINGUAL
from seq2seq_core.audio.front_end import FrontEnd
from seq2seq_core.config.tokenize import TokenizeSection
from seq2seq_core.frames.frame_reader import FrameMaker, FrameReader
from seq2seq_core.normal_form import NormalForm
from seq2seq_core.tokenization.encode import Tokenizers
from seq2seq_core.tokenization.manifest import Manifest, SentencesInfo, SourceInfo, SplitInfo, TargetInfo, folder_digests
from seq2seq_core.tokenization.tags import TagColumns
from seq2seq_core.tokenization.token_counts import SentenceCounts, SideCounts, SplitCounts


def make_manifest(
    tokenizers: Tokenizers,
    counts: Mapping[str, SplitCounts],
    sentences: Mapping[str, SentenceCounts],
    section: TokenizeSection,
    tags: TagColumns,
    normal_form: NormalForm,
    draft: Path,
) -> Manifest:
    """The manifest of a folder whose other files are written.

    Args:
        tokenizers: of the two sides.
        counts: of each split.
        sentences: of each language that has monolingual sentences.
        section: how the corpus was tokenised.
        tags: columns that became tags.
        normal_form: the normal form of the texts.
        draft: the folder, whose files are digested.
    """
    return Manifest(
        source=source_info(tokenizers),
        target=TargetInfo(vocabulary_size=tokenizers.target.vocabulary_size),
        joint=section.joint,
        tags=tags,
        normal_form=normal_form,
        groups=counts["train"].groups,
        max_source_tokens=section.max_source_tokens if section.long_source != "drop" else None,
        keeps_source_end=section.long_source == "truncate_start",
        splits={
            split: SplitInfo(pairs=count.pairs, source_tokens=count.source.tokens, target_tokens=count.target.tokens)
            for split, count in counts.items()
        },
        monolingual={
            language: SentencesInfo(sentences=count.text.rows, tokens=count.text.tokens) for language, count in sentences.items()
        },
        digests=folder_digests(draft),
    )


def source_info(tokenizers: Tokenizers) -> SourceInfo:
    """The kind of the sources: ids, or frames of recordings or pictures."""
    if isinstance(tokenizers.source, FrameReader):
        front_end = tokenizers.source.front_end
        if isinstance(front_end, FrontEnd):
            return SourceInfo(kind="frames", vocabulary_size=0, audio=front_end)
        return SourceInfo(kind="frames", vocabulary_size=0, pictures=front_end)
    return SourceInfo(kind="ids", vocabulary_size=tokenizers.source.vocabulary_size)


def make_report(
    tokenizers: Tokenizers, counts: Mapping[str, SplitCounts], sentences: Mapping[str, SentenceCounts], is_cut: bool
) -> dict[str, Any]:
    """The metrics of ``reports/tokenize.json``.

    Args:
        tokenizers: of the two sides.
        counts: of each split.
        sentences: of each language that has monolingual sentences.
        is_cut: whether long sources are cut.
    """
    source = tokenizers.source
    return {
        "source_vocabulary_size": source_info(tokenizers).vocabulary_size,
        "target_vocabulary_size": tokenizers.target.vocabulary_size,
        **{
            split: {
                "pairs": count.pairs,
                "dropped_too_long": count.dropped_too_long,
                **({"truncated_sources": count.truncated_sources} if is_cut else {}),
                "source": (
                    _describe_frames(count.source, source.front_end)
                    if isinstance(source, FrameReader)
                    else _describe_side(count.source)
                ),
                "target": _describe_side(count.target),
            }
            for split, count in counts.items()
        },
        **{
            f"{MONOLINGUAL}.{language}": {
                "sentences": count.text.rows,
                "dropped_too_long": count.dropped_too_long,
                "text": _describe_side(count.text),
            }
            for language, count in sentences.items()
        },
    }


def _describe_side(side: SideCounts) -> dict[str, float]:
    return {
        "mean_tokens": round(side.mean_tokens, 4),
        "max_tokens": side.longest,
        "unknown_fraction": round(side.unknown_fraction, 8),
        **({"byte_fraction": round(side.spelt / max(1, side.tokens), 8)} if side.byte_ids else {}),
    }


def _describe_frames(side: SideCounts, front_end: FrameMaker) -> dict[str, float]:
    hours = {"hours": round(side.tokens * front_end.frame_seconds / 3600, 4)} if isinstance(front_end, FrontEnd) else {}
    return {"mean_frames": round(side.mean_tokens, 4), "max_frames": side.longest, **hours}


def flatten(report: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Nested figures under names such as ``train_source_mean_tokens``."""
    flat: dict[str, float] = {}
    for name, value in report.items():
        flat |= flatten(value, f"{prefix}{name}_") if isinstance(value, dict) else {f"{prefix}{name}": float(value)}
    return flat
