"""The phrases of a batch as rules for the next symbol.

Shapes: N rows being decoded, T hypothesis length so far (bos included), V vocabulary, X rows with phrases.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from seq2seq_core.decoding.phrases.row_phrases import Progress, RowPhrases
from seq2seq_core.decoding.stopping import Stop, check_stop
from seq2seq_core.tokenization.special_tokens import EOS_ID

RowsOfPhrases = Sequence[RowPhrases | None]
"""For each sentence of a batch, the phrases that its hypotheses must and must not contain; None: none."""
NEW_PROGRESS, WORK_BETWEEN_STOPS = 10, 200
"""Work: that of a hypothesis's plan or rules (a look at one more id is 1), and how much is done before a stop is asked for."""


class PhraseRules:
    """What hypotheses must and must not contain.

    Args:
        rows: of each sentence.
        num_before: ids that each sentence's hypotheses are forced to begin with.
        limits: most ids of each sentence.
        stop: asked again and again; ends the search.
    """

    def __init__(self, rows: RowsOfPhrases, num_before: Sequence[int], limits: Sequence[int], stop: Stop | None = None) -> None:
        self.rows, self.num_before, self.limits, self.stop = rows, num_before, limits, stop
        self._num_asked = 0
        self._known: dict[tuple[int, tuple[int, ...]], Progress | None] = {}

    def progress(self, sentence: int, ids: Sequence[int]) -> Progress | None:
        """How far a hypothesis has come; None: it contains a forbidden phrase, or can no longer contain every forced one.

        Args:
            sentence: its position in the batch.
            ids: of the hypothesis, at least those that were forced in front.
        """
        key, row = (sentence, tuple(ids)), self.rows[sentence]
        assert row is not None, "asked of sentences with phrases"
        if key not in self._known:
            self._ask_stop(NEW_PROGRESS)
            before = self._before(sentence, key[1])
            found = row.extend(before, key[1]) if before is not None else row.begin(key[1])
            if found is not None and len(ids) + found.plan.num_ids > max(self.limits[sentence], self.num_before[sentence]):
                found = None
            self._known[key] = found
        return self._known[key]

    def num_met(self, sentence: int, ids: Sequence[int]) -> int | None:
        """The ids of phrases that a hypothesis contains; None: it contains a forbidden phrase. It may still be given up.

        Args:
            sentence: its position in the batch.
            ids: of the hypothesis.
        """
        key, row = tuple(ids), self.rows[sentence]
        assert row is not None, "asked of sentences with phrases"
        before = self._before(sentence, key)
        if (sentence, key) in self._known or before is None:
            return None if (known := self.progress(sentence, ids)) is None else known.num_met
        self._ask_stop()
        reached = row.reach(before, key)
        return None if reached is None else reached.num_met

    def _before(self, sentence: int, ids: tuple[int, ...]) -> Progress | None:
        """The progress before the last id; None: it is not known."""
        return self._known.get((sentence, ids[:-1])) if len(ids) > self.num_before[sentence] else None

    def _ask_stop(self, work: int = 1) -> None:
        """Ends the search if it must stop; asks once in so much work."""
        self._num_asked += work
        if self._num_asked >= WORK_BETWEEN_STOPS:
            self._num_asked = 0
            check_stop(self.stop)

    def read(self, log_probabilities_NV: Tensor, ids_NT: Tensor, sentences: Sequence[int]) -> RulesOfStep | None:
        """The rules for one step; None: no row has phrases.

        Args:
            log_probabilities_NV: before any rule.
            ids_NT: the ids of each row so far, bos included.
            sentences: the position in the batch of each row's sentence.
        """
        length = ids_NT.shape[1] - 1
        if any(len(ids) < length - 1 for _, ids in self._known):
            self._known = {key: found for key, found in self._known.items() if len(key[1]) >= length - 1}
        places = [
            place
            for place, sentence in enumerate(sentences)
            if self.rows[sentence] is not None and self.num_before[sentence] <= length < self.limits[sentence]
        ]
        if not places:
            return None
        places_X = torch.tensor(places, device=ids_NT.device)
        rows = [tuple(ids) for ids in ids_NT[places_X, 1:].tolist()]
        step = RulesOfStep(places_X, log_probabilities_NV.index_select(0, places_X))
        for number, (place, ids) in enumerate(zip(places, rows, strict=True)):
            self._add_row(step, number, sentences[place], ids)
        return step

    def _add_row(self, step: RulesOfStep, number: int, sentence: int, ids: tuple[int, ...]) -> None:
        """Adds the rules of one hypothesis."""
        row, progress = self.rows[sentence], self.progress(sentence, ids)
        if row is None or progress is None:  # a hypothesis that was given up, whose row is still there
            return
        self._ask_stop(NEW_PROGRESS)
        may_end = row.is_met(progress) and row.forbidden.can_end(progress.forbidden)
        outlook = row.forbidden.outlook(progress.forbidden)
        first = () if progress.plan.first is None else (progress.plan.first,)
        closed = outlook.dead
        if len(ids) + 1 >= self.limits[sentence]:
            closed = np.concatenate([closed, outlook.open])
        step.forbid(number, closed, may_end)
        if row.forced:
            dead = set(closed.tolist()).difference(first)
            step.keep(number, [id_ for id_ in row.next_ids(progress, ids) if id_ not in dead])
        step.fall_back(number, *first or (EOS_ID,))


class RulesOfStep:
    """The rules for the next symbol of some rows.

    Args:
        places_X: the rows among all.
        plain_XV: their log-probabilities before any rule.
    """

    def __init__(self, places_X: Tensor, plain_XV: Tensor) -> None:
        self.places_X, self.plain_XV = places_X, plain_XV
        self._closed: list[tuple[int, np.ndarray[tuple[int], np.dtype[np.int32]]]] = []
        self._kept: list[tuple[int, int]] = []
        self._last: list[tuple[int, int]] = []

    def forbid(self, number: int, ids: np.ndarray[tuple[int], np.dtype[np.int32]], may_end: bool) -> None:
        """Forbids symbols of a row, and eos unless it may end."""
        ends = np.array([] if may_end else [EOS_ID], dtype=np.int32)
        self._closed.append((number, np.concatenate([ids, ends])))

    def keep(self, number: int, ids: Sequence[int]) -> None:
        """Allows symbols of a row although another rule forbids them."""
        self._kept += [(number, id_) for id_ in ids]

    def fall_back(self, number: int, id_: int) -> None:
        """Allows a symbol of a row to which all rules together leave none."""
        self._last.append((number, id_))

    def apply(self, log_probabilities_NV: Tensor) -> None:
        """Sets minus infinity where a symbol is forbidden.

        Args:
            log_probabilities_NV: after all other rules.
        """
        device, ruled_XV = log_probabilities_NV.device, log_probabilities_NV.index_select(0, self.places_X)
        for number, ids in self._closed:
            ruled_XV[number, torch.from_numpy(ids.astype(np.int64)).to(device)] = -torch.inf
        self._restore(ruled_XV, self._kept)
        if self._last:
            has_nothing_X = (ruled_XV == -torch.inf).all(dim=1).tolist()
            self._restore(ruled_XV, [(number, id_) for number, id_ in self._last if has_nothing_X[number]])
        log_probabilities_NV[self.places_X] = ruled_XV

    def _restore(self, ruled_XV: Tensor, kept: Sequence[tuple[int, int]]) -> None:
        """Gives symbols the model's log-probability again."""
        if kept:
            numbers, ids = map(list, zip(*kept, strict=True))
            ruled_XV[numbers, ids] = self.plain_XV[numbers, ids]
