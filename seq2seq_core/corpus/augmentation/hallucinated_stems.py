"""Pairs with made-up stems (Anastasopoulos and Neubig 2019, section 3): what changes in inflection stays, the stem is drawn.

Source and target are aligned by their edits. Runs of letters that both have are the stem; a random letter takes the place of each
of theirs, the same on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from rapidfuzz.distance import Levenshtein

SHORTEST_STEM = 3
"""Letters of a run that is a stem."""


def with_made_up_stem(source: str, target: str, letters: Sequence[str], chance: Random) -> tuple[str, str] | None:
    """The pair with another stem; None: the sides have no stem in common.

    Args:
        source: such as a lemma.
        target: such as its form.
        letters: to draw from.
        chance: draws them.
    """
    made, forms = list(source), list(target)
    has_stem = False
    for block in Levenshtein.editops(source, target).as_matching_blocks():
        places = [place for place in range(block.size) if source[block.a + place].isalpha()]
        if len(places) < SHORTEST_STEM:
            continue
        has_stem = True
        for place in places:
            made[block.a + place] = forms[block.b + place] = chance.choice(letters)
    return ("".join(made), "".join(forms)) if has_stem else None
