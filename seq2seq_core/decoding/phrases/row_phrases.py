"""The phrases of one target as a search needs them: their ids, and the ids that complete what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.phrases.forbidden_ids import ForbiddenIds
from seq2seq_core.decoding.phrases.forced_phrase import ForcedPhrase, index_inner_ids
from seq2seq_core.decoding.phrases.phrase_matcher import PhraseMatcher
from seq2seq_core.decoding.phrases.phrase_plan import NO_IDS, Plan, put_before
from seq2seq_core.decoding.phrases.piece_texts import PieceTexts, Spelled
from seq2seq_core.decoding.phrases.wanted_phrases import Phrases

MOST_FORCED_WIDTH, WIDTH_STEP = 20, 4
"""Hypotheses of a source with forced phrases, where fewer are asked for: as many as the ids of its phrases and one, up to the first
figure and rounded up to the second, so that sources share batches."""
PHRASE_WORK = 1 / 6
"""The work of a forced phrase for a token, by that of the token: 16 phrases made a wide search take 3.6 times as long."""
TRIED_IDS, TRIES = 5000, 10
"""Ids of orders and spellings that are tried to complete what is missing: so many, and for each id of the phrases so many more."""
_MOST_STEPS = 2000
"""Most entries of each cache of a row."""
_UNKNOWN = Plan()


class Progress(NamedTuple):
    """How far a hypothesis has come.

    Attributes:
        forced: what of the forced phrases it has spelled.
        forbidden: what of the forbidden ones.
        plan: ids that complete what is missing, after which it may end.
        num_met: ids of forced phrases that it contains, a phrase in progress included.
    """

    forced: Spelled
    forbidden: Spelled
    plan: Plan
    num_met: int


class _Step(NamedTuple):
    """What is spelled after one more id.

    Attributes:
        forced, forbidden: as in :class:`Progress`.
        is_dead: whether a forbidden phrase occurs.
    """

    forced: Spelled
    forbidden: Spelled
    is_dead: bool


class Reached(NamedTuple):
    """What a hypothesis has come to; whether it can be completed from there is open.

    Attributes:
        forced, forbidden, num_met: as in :class:`Progress`.
    """

    forced: Spelled
    forbidden: Spelled
    num_met: int


class _Lacks(NamedTuple):
    """What a hypothesis lacks.

    Attributes:
        places: of the phrases.
        num_met: ids of the other phrases.
    """

    places: list[int]
    num_met: int


class RowPhrases:
    """What one target must and must not contain.

    Args:
        phrases: the phrases.
        forced: those to force, spelled.
        separators: ids that may stand between two phrases.
        pieces: the texts of the ids.
        forbidden: the ids that lead to forbidden phrases.
    """

    def __init__(
        self,
        phrases: Phrases,
        forced: Sequence[ForcedPhrase],
        separators: Sequence[tuple[int, ...]],
        pieces: PieceTexts,
        forbidden: ForbiddenIds,
    ) -> None:
        self.phrases, self.forced, self.separators = phrases, tuple(forced), tuple(separators)
        self.pieces, self.forbidden = pieces, forbidden
        self.matcher = PhraseMatcher(phrases.force)
        self._inner = index_inner_ids(self.forced)
        self._steps: dict[tuple[Spelled, Spelled, int], _Step] = {}
        self._lacking: dict[Spelled, _Lacks] = {}
        self._plans: dict[tuple[Spelled, Spelled], Plan | None] = {}

    @cached_property
    def num_ids(self) -> int:
        """Ids of all forced phrases."""
        return sum(one.num_ids for one in self.forced)

    @cached_property
    def most_ids(self) -> int:
        """Most ids that complete any hypothesis: all phrases, each behind a separator, and one more to end no forbidden phrase."""
        longest = max(map(len, self.separators), default=0)
        return self.num_ids + longest * len(self.forced) + 1 if self.forced else 0

    def limit(self, limit: int, options: DecodingOptions, num_before: int = 0) -> int:
        """The most ids of a hypothesis: those of the options, or more where the forced phrases need it and the options allow it.

        Args:
            limit: by the options and the source.
            options: the decoding options.
            num_before: ids that are forced in front.
        """
        if self.phrases.forbid and num_before:
            limit = max(limit, num_before + 1)
        return limit if options.max_length else max(limit, num_before + self.most_ids)

    def width(self, options: DecodingOptions) -> int:
        """Hypotheses of the source that are decoded at the same time."""
        if not self.forced:
            return options.rows_per_source
        wanted = min(self.num_ids + 1, MOST_FORCED_WIDTH)
        return max(options.rows_per_source, -(-wanted // WIDTH_STEP) * WIDTH_STEP)

    @property
    def work(self) -> float:
        """How much longer a step takes than without phrases."""
        return 1 + len(self.forced) * PHRASE_WORK

    def is_met(self, progress: Progress) -> bool:
        """Whether a hypothesis contains every forced phrase if it ends now."""
        return not self._missing(progress.forced)

    def begin(self, ids: Sequence[int]) -> Progress | None:
        """The progress of a hypothesis that was forced so far; None: it cannot be completed.

        Args:
            ids: its ids.
        """
        forced = self.pieces.read_all(self.matcher, ids)
        forbidden = self.pieces.read_all(self.forbidden.matcher, ids)
        plan = None if self.forbidden.is_dead(forbidden) else self._plan(forced, forbidden)
        return None if plan is None else Progress(forced, forbidden, plan, self._count_met(forced, ids))

    def extend(self, progress: Progress, ids: Sequence[int]) -> Progress | None:
        """The progress after one more id; None: a forbidden phrase occurs, or the rest cannot be completed.

        Args:
            progress: before it.
            ids: of the hypothesis, the new one last.
        """
        if (reached := self.reach(progress, ids)) is None:
            return None
        forced, forbidden, num_met = reached
        plan, followed = self._plan(forced, forbidden), progress.plan.rest if progress.plan.first == ids[-1] else None
        if followed is not None and (plan is None or followed.num_ids < plan.num_ids):
            plan = followed
        return None if plan is None else Progress(forced, forbidden, plan, num_met)

    def reach(self, progress: Progress, ids: Sequence[int]) -> Reached | None:
        """What a hypothesis has come to after one more id; None: a forbidden phrase occurs.

        This takes much less time than :meth:`extend`.

        Args:
            progress: before it.
            ids: of the hypothesis, the new one last.
        """
        key = (progress.forced, progress.forbidden, ids[-1])
        if (step := self._steps.get(key)) is None:
            if len(self._steps) >= _MOST_STEPS:
                self._steps.clear()
            step = self._steps[key] = self._step(*key)
        return None if step.is_dead else Reached(step.forced, step.forbidden, self._count_met(step.forced, ids))

    def _step(self, forced: Spelled, forbidden: Spelled, id_: int) -> _Step:
        """What is spelled after one more id."""
        forced, forbidden = self.pieces.read(self.matcher, forced, id_), self.forbidden.read(forbidden, id_)
        return _Step(forced, forbidden, self.forbidden.is_dead(forbidden))

    def next_ids(self, progress: Progress, ids: Sequence[int]) -> set[int]:
        """The ids that bring a hypothesis nearer to a phrase that it lacks: they go on with it, or begin it.

        Args:
            progress: of the hypothesis.
            ids: of the hypothesis.
        """
        found = set() if progress.plan.first is None else {progress.plan.first}
        going_on = {(place, number): count for place, number, count in self._begun(progress.forced, ids)}
        for place in self._lacks(progress.forced).places:
            for number, spelling in enumerate(self.forced[place].spellings):
                found.add(spelling[going_on.get((place, number), 0)])
        return found

    def _lacks(self, forced: Spelled) -> _Lacks:
        """The phrases that a hypothesis lacks if it ends now."""
        if (found := self._lacking.get(forced)) is None:
            if len(self._lacking) >= _MOST_STEPS:
                self._lacking.clear()
            met = self.pieces.end(self.matcher, forced)
            places = [place for place in range(len(self.forced)) if place not in met]
            num_met = self.num_ids - sum(self.forced[place].num_ids for place in places)
            found = self._lacking[forced] = _Lacks(places, num_met)
        return found

    def _missing(self, forced: Spelled) -> list[int]:
        """The places of what is lacking."""
        return self._lacks(forced).places

    def _begun(self, forced: Spelled, ids: Sequence[int]) -> Iterator[tuple[int, int, int]]:
        """The spellings that a hypothesis ends with a part of: its phrase, number and ids, most ids first."""
        seen = set[tuple[int, int]]()
        for place, number, count in self._inner.get(ids[-1], ()) if ids else ():
            one = self.forced[place]
            if count > len(ids) or (place, number) in seen or tuple(ids[len(ids) - count :]) != one.spellings[number][:count]:
                continue
            length = one.lengths[number][count - 1]
            if not length or self.matcher.is_in(forced.match, place, length):
                seen.add((place, number))
                yield place, number, count

    def _count_met(self, forced: Spelled, ids: Sequence[int]) -> int:
        """The ids of the phrases that a hypothesis contains, and of the one that it has come farthest with."""
        missing, met = self._lacks(forced)
        return met + next((count for place, _, count in self._begun(forced, ids) if place in missing), 0)

    def _plan(self, forced: Spelled, forbidden: Spelled, trials: list[int] | None = None) -> Plan | None:
        """Ids that complete what is missing; None: none were found.

        Args:
            forced: what of the forced phrases is spelled.
            forbidden: what of the forbidden ones.
            trials: the ids that may still be tried; None: this is the beginning of a plan.
        """
        key, left = (forced, forbidden), [TRIED_IDS + TRIES * self.most_ids] if trials is None else trials
        found = self._plans.get(key, _UNKNOWN)
        if found is _UNKNOWN:
            found = self._search_plan(forced, forbidden, left)
            if found is None and left[0] < 0 and trials is not None:
                return None  # with more trials there may be one
            if len(self._plans) >= _MOST_STEPS:
                self._plans.clear()
            self._plans[key] = found
        return found

    def _search_plan(self, forced: Spelled, forbidden: Spelled, trials: list[int]) -> Plan | None:
        missing = self._missing(forced)
        if not missing:
            return NO_IDS if self.forbidden.can_end(forbidden) else self._close(forced, forbidden)
        for between in ((), *self.separators):
            for place in missing:
                for spelling in self.forced[place].spellings:
                    added = (*between, *spelling)
                    trials[0] -= len(added)
                    if trials[0] < 0:
                        return None
                    after = self.pieces.read_all(self.matcher, added, forced)
                    if not self._is_better(forced, after, place):
                        continue
                    other = self._read_forbidden(forbidden, added)
                    rest = None if other is None else self._plan(after, other, trials)
                    if rest is not None:
                        return put_before(added, rest)
        return None

    def _is_better(self, before: Spelled, after: Spelled, place: int) -> bool:
        """Whether a phrase was added without breaking another."""
        met = self.pieces.end(self.matcher, after)
        return place in met and self.pieces.end(self.matcher, before) <= met

    def _read_forbidden(self, spelled: Spelled, ids: Sequence[int]) -> Spelled | None:
        """What of forbidden phrases is spelled after some ids; None: one of them occurs."""
        for id_ in ids:
            spelled = self.forbidden.read(spelled, id_)
            if self.forbidden.is_dead(spelled):
                return None
        return spelled

    def _close(self, forced: Spelled, forbidden: Spelled) -> Plan | None:
        """An id after which the text may end, where a forbidden phrase would otherwise be its last word."""
        outlook = self.forbidden.outlook(forbidden)
        closed = {*outlook.dead.tolist(), *outlook.open.tolist(), *self.pieces.silent}
        for id_ in range(self.pieces.size):
            if id_ not in closed and not self._missing(self.pieces.read(self.matcher, forced, id_)):
                return put_before((id_,), NO_IDS)
        return None
