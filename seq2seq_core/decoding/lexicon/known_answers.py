"""Answers of a lexicon: a question that train has gets its commonest target, without the model.

An answer's log-probability is that of its target among the pairs of the question in train. Its confidence, where the model has a
calibrator, is the chance that a further pair of the question has this target, by Laplace's rule of succession: (n + 1) / (N + 2)
for n of N pairs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from seq2seq_core.bundle.lexicon_file import question_of
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.prediction import Prediction, TextHypothesis
from seq2seq_core.errors import UserError

if TYPE_CHECKING:
    from seq2seq_core.bundle.bundle import Bundle
    from seq2seq_core.decoding.source_encoder import SourceItem


def check_lexicon(has_lexicon: bool) -> None:
    """Refuses to ask a lexicon that is not there.

    Args:
        has_lexicon: whether the bundle has one.

    Raises:
        UserError: it has none.
    """
    if not has_lexicon:
        raise UserError("lexicon: must be false with this model, which was exported without evaluate.lexicon, got true")


def find_known(
    bundle: Bundle,
    sources: Sequence[SourceItem],
    tags: Sequence[Mapping[str, str]] | None,
    options: DecodingOptions,
    is_free: Sequence[bool],
) -> list[TextHypothesis | None]:
    """The lexicon's answer to each source; None: the model answers.

    Args:
        bundle: with its lexicon.
        sources: texts, or what no lexicon has.
        tags: for each source, its columns by name; None: none.
        options: the decoding options, which ask the lexicon.
        is_free: for each source, whether nothing is asked of the wording of its target.

    Raises:
        UserError: the bundle has no lexicon.
    """
    check_lexicon(bundle.lexicon is not None)
    if options.method != "beam":
        return [None] * len(sources)
    return [
        _answer(bundle, source, values) if free and isinstance(source, str) else None
        for source, values, free in zip(sources, tags or [{}] * len(sources), is_free, strict=True)
    ]


def _answer(bundle: Bundle, source: str, values: Mapping[str, str]) -> TextHypothesis | None:
    assert bundle.lexicon is not None
    known = bundle.lexicon.get(question_of(source, values, bundle.config))
    if known is None:
        return None
    share = math.log(known.pairs / known.total)
    confidence = None if bundle.calibrator is None else (known.pairs + 1) / (known.total + 2)
    return TextHypothesis(known.text, share, share, confidence=confidence, from_lexicon=True)


def put_first(known: TextHypothesis | None, decoded: Prediction, num_hypotheses: int) -> Prediction:
    """A prediction with the lexicon's answer before what the model has decoded.

    Args:
        known: the answer; None: the lexicon has none.
        decoded: of the model; nothing was decoded where one hypothesis is wanted.
        num_hypotheses: most hypotheses.
    """
    if known is None:
        return decoded
    others = [one for one in decoded.hypotheses if one.num_tokens and one.text != known.text]
    return Prediction((known, *others)[:num_hypotheses])
