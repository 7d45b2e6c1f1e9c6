"""The most rows that ``prepare`` may drop: a warning, then an error."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from seq2seq_core.config.prepare import PrepareSection
from seq2seq_core.corpus.preparation.funnel import REAL_PAIRS, Funnel, format_funnels
from seq2seq_core.errors import RowsLost

logger = logging.getLogger(__name__)


def check_dropped_fraction(section: PrepareSection, funnels: Mapping[str, Funnel]) -> None:
    """Warns of each split that loses many of its rows to the rules. A split that loses all is left to other checks.

    Args:
        section: the shares.
        funnels: of the splits, complete.

    Raises:
        RowsLost: a split loses more than ``max_dropped_fraction``.
    """
    too_many = list[str]()
    for split, funnel in funnels.items():
        if not funnel.rows_in or funnel.num_dropped in (0, funnel.rows_in):
            continue
        fraction = funnel.num_dropped / funnel.rows_in
        if fraction > section.max_dropped_fraction:
            too_many.append(_describe(split, funnel))
        elif fraction > section.warn_dropped_fraction:
            logger.warning("%s; `s2s dropped` shows them", _describe(split, funnel))
    if too_many:
        described = "\n".join(too_many)
        raise RowsLost(
            f"{described}\nexpected at most {100 * section.max_dropped_fraction:g} %; `s2s dropped` shows such rows with file and "
            "line. If they are right to drop, as where text repeats by nature, set prepare.max_dropped_fraction higher (1: any "
            f"share); else change the rule\n\n{format_funnels(funnels)}"
        )


def _describe(split: str, funnel: Funnel) -> str:
    counts = {rule: count for rule, count in funnel.dropped.items() if count and rule != REAL_PAIRS}
    most = max(counts, key=lambda rule: counts[rule])
    share = 100 * funnel.num_dropped / funnel.rows_in
    return (
        f"{split}: prepare drops {funnel.num_dropped:,} of {funnel.rows_in:,} rows ({share:.1f} %), most by prepare.{most} "
        f"({counts[most]:,})"
    )
