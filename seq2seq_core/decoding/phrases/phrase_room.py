"""Whether a search can satisfy what is asked of the wording of a target."""

from __future__ import annotations

from collections.abc import Sequence

from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.phrases.row_phrases import RowPhrases
from seq2seq_core.decoding.phrases.wanted_phrases import FORBID, FORCE, PhraseError
from seq2seq_core.json_text import shorten

MAX_FORCED_IDS = 1000
"""Most ids of the phrases of a target."""


def check_rooms(rows: Sequence[RowPhrases | None], options: DecodingOptions, starts: Sequence[Sequence[int]] | None = None) -> None:
    """Checks that a search can satisfy what is asked of each target.

    Args:
        rows: the phrases of each target; None: none.
        options: the decoding options.
        starts: the ids that are forced in front of each.

    Raises:
        PhraseError: the message names the phrase.
    """
    for place, row in enumerate(rows):
        if row is not None:
            check_room(row, options, starts[place] if starts else ())


def check_room(row: RowPhrases, options: DecodingOptions, prefix: Sequence[int] = ()) -> None:
    """Checks that a search can satisfy what is asked.

    Args:
        row: the phrases.
        options: the decoding options.
        prefix: ids that are forced in front.

    Raises:
        PhraseError: the message names the phrase.
    """
    force = row.phrases.force
    if force and options.method == "sampling":
        raise PhraseError(FORCE, f"{shorten(force[0])!r} needs beam search, got method sampling")
    if force and options.diversity_groups > 1:
        raise PhraseError(FORCE, f"{shorten(force[0])!r} needs diversity_groups 1, got {options.diversity_groups}")
    if row.forbidden.is_dead(row.pieces.read_all(row.forbidden.matcher, prefix)):
        raise PhraseError(FORBID, "must not be in the prefix that is forced")
    if row.most_ids > MAX_FORCED_IDS:
        raise PhraseError(FORCE, f"must take at most {MAX_FORCED_IDS} tokens in a target, got {row.most_ids}")
    start = row.begin(prefix)
    if start is None:
        name = FORCE if force else FORBID
        listed = ", ".join(repr(shorten(one)) for one in (force or row.phrases.forbid)[:3])
        raise PhraseError(name, f"no target was found that has {listed} and nothing that is forbidden")
    if options.max_length and force and len(prefix) + start.plan.num_ids > options.max_length:
        longest = max(row.forced, key=lambda one: one.num_ids)
        raise PhraseError(
            FORCE,
            f"{shorten(longest.text)!r} does not fit: the phrases of a target take {start.plan.num_ids} tokens, max_length is "
            f"{options.max_length}" + (f", {len(prefix)} of which are taken" if prefix else ""),
        )
