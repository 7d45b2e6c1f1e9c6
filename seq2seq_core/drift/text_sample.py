"""A sample of texts in the pieces of another corpus's vocabulary, so that the pieces of both can be compared."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson

from seq2seq_core.corpus.pairs import SOURCE, TARGET, count_lines
from seq2seq_core.drift.corpus_profile import Profile, SideProfile
from seq2seq_core.drift.profiling import mix_keys, text_keys
from seq2seq_core.drift.repeated_texts import KEYS
from seq2seq_core.drift.resampling import SAMPLE_ROWS
from seq2seq_core.drift.side_counter import PieceModel, SideCounter, count_pieces


def sample_pairs(path: Path, rows: int = SAMPLE_ROWS) -> tuple[list[str], list[str]]:
    """The sources and targets of some pairs, chosen by their content.

    Args:
        path: a file that ``s2s prepare`` wrote.
        rows: about how many.
    """
    bound = min(KEYS, KEYS * rows // max(1, count_lines(path)))
    sources, targets = list[str](), list[str]()
    with path.open("rb") as file:
        for line in file:
            if int(mix_keys(np.array([zlib.crc32(line)], dtype=np.uint64))[0]) < bound:
                pair = orjson.loads(line)
                sources.append(pair[SOURCE])
                targets.append(pair[TARGET])
    return sources, targets


def with_pieces(profile: Profile, texts: tuple[Sequence[str], Sequence[str]], models: Sequence[PieceModel | None]) -> Profile:
    """A profile whose pieces are those of other subword models.

    Args:
        profile: of a corpus.
        texts: sources and targets of a sample of it.
        models: of both sides; None: the sources are recordings.
    """
    source, target = (
        side and model and side.model_copy(update={"pieces": count_pieces(model.encode_rows(own), model)})
        for side, own, model in zip((profile.source, profile.target), texts, models, strict=True)
    )
    return profile.model_copy(update={"source": source or profile.source, "target": target or profile.target})


def profile_requests(texts: Sequence[str], model: PieceModel) -> Profile:
    """The profile of the sources that users sent: lengths, scripts, characters, unknown symbols, pieces.

    How often they repeat is left out: users ask the same thing many times, and a corpus for training was deduplicated.

    Args:
        texts: at least one.
        model: the subword model of the version's sources.
    """
    counter = SideCounter()
    counter.add(texts)
    order = np.argsort(text_keys(texts), kind="stable")[:SAMPLE_ROWS].tolist()
    pieces = count_pieces(model.encode_rows([texts[place] for place in order]), model)
    source: SideProfile = counter.profile(pieces).model_copy(update={"repeats": {}})
    return Profile(rows=len(texts), counted=len(texts), source=source, target=None)
