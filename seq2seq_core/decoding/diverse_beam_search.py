"""Diverse beam search (Vijayakumar et al. 2018): groups of hypotheses, each searched so that it differs from those before it.

At each step the groups extend their hypotheses one after another. A symbol's log-probability is lowered by the penalty for
every earlier group's hypothesis of the sentence that was extended by this symbol at this step (Hamming diversity, equation 6). The
penalty only chooses: totals and scores are the model's own.

Shapes: B sentences held, K live hypotheses of each (1 at first, then the beam size), L those of a group, C candidates of a group
(at most twice L), N rows (B times K), V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from seq2seq_core.batching.batch import Source
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.beam_search import BeamSearch, Candidates, best_live
from seq2seq_core.decoding.best_extensions import best_extensions
from seq2seq_core.decoding.constraints import NEVER, Constraints
from seq2seq_core.decoding.hypothesis import Hypothesis, StepModel
from seq2seq_core.tokenization.special_tokens import EOS_ID


class DiverseSearch(BeamSearch):
    """A beam search whose beam is shared by groups.

    Attributes:
        groups: the finished hypotheses of each group, by sentence; those of all groups are in :attr:`finished`.
    """

    def __init__(
        self, model: StepModel, source: Source, options: DecodingOptions, constraints: Constraints, keep_attention: bool
    ) -> None:
        super().__init__(model, source, options, constraints, keep_attention)
        self.num_groups = options.diversity_groups
        self.width = options.beam_size // self.num_groups
        self.groups: list[list[list[Hypothesis]]] = [[[] for _ in self.sentences] for _ in range(self.num_groups)]

    def results(self) -> list[list[Hypothesis]]:
        """The hypotheses to return for each sentence, best first."""
        return [self._pick([group[sentence] for group in self.groups]) for sentence in range(len(self.finished))]

    def _extend(self, logits_NV: Tensor) -> Candidates:
        """Extends the groups one after another."""
        log_probabilities_NV = self._next_log_probabilities(logits_NV)
        counts_BV = log_probabilities_NV.new_zeros(len(self.sentences), log_probabilities_NV.shape[1])
        kept = []
        for number, group in enumerate(self.groups):
            candidates = self._candidates_of(number, log_probabilities_NV, counts_BV)
            self._finish(candidates, self.width, group)
            live = self._fill(best_live(candidates, self.width))
            self._close_group(group, live.totals_BC)
            counts_BV.scatter_add_(1, live.symbols_BC, (live.totals_BC > NEVER).to(counts_BV.dtype))
            kept.append(live)
        for sentence in self.sentences:
            self.finished[sentence] = [one for group in self.groups for one in group[sentence]]
        return Candidates(*(torch.cat(parts, dim=1) for parts in zip(*kept, strict=True)))

    def _candidates_of(self, number: int, log_probabilities_NV: Tensor, counts_BV: Tensor) -> Candidates:
        """The best extensions of a group's hypotheses, those first that differ from earlier groups' extensions."""
        num_sentences, num_live = self.totals_BK.shape
        size = log_probabilities_NV.shape[1]
        is_common = num_live == 1  # at first all groups share a row
        own = slice(0, 1) if is_common else slice(number * self.width, (number + 1) * self.width)
        own_BLV = log_probabilities_NV.view(num_sentences, num_live, size)[:, own]
        lowered_BLV = own_BLV - self.options.diversity_penalty * counts_BV.unsqueeze(1)
        totals_BL = self.totals_BK[:, own]
        _, places_BC = best_extensions(lowered_BLV.reshape(-1, size), totals_BL, 2 * self.width)
        totals_BC = (totals_BL.unsqueeze(2) + own_BLV).flatten(1).gather(1, places_BC)
        return Candidates(totals_BC, self._first_rows() + (own.start or 0) + places_BC // size, places_BC % size)

    def _fill(self, live: Candidates) -> Candidates:
        """As many extensions as the group has places, those that are missing at minus infinity."""
        missing = self.width - live.totals_BC.shape[1]
        if missing <= 0:
            return live
        parents_BC = torch.cat([live.parents_BC, live.parents_BC[:, :1].expand(-1, missing)], dim=1)
        totals_BC = functional.pad(live.totals_BC, (0, missing), value=NEVER)
        return Candidates(totals_BC, parents_BC, functional.pad(live.symbols_BC, (0, missing), value=EOS_ID))

    def _close_group(self, group: list[list[Hypothesis]], totals_BL: Tensor) -> None:
        """Ends the group's search for the sentences for which it is over."""
        wanted = -(-self.options.num_hypotheses // self.num_groups)
        best = totals_BL.amax(dim=1).tolist()
        over = [
            place
            for place, sentence in enumerate(self.sentences)
            if self._is_over(sentence, best[place], group[sentence], min(wanted, self.width), self.width)
        ]
        totals_BL[over] = NEVER

    def _num_live(self, totals_BK: Tensor) -> int:
        return totals_BK.shape[1]

    def _is_done(self, sentence: int, best_total: float) -> bool:
        return best_total == NEVER

    def _pick(self, groups: Sequence[list[Hypothesis]]) -> list[Hypothesis]:
        """The different hypotheses of a sentence to return: in turn one of each group."""
        ranked = [sorted(group, key=lambda one: -one.score) for group in groups]
        picked: dict[tuple[int, ...], Hypothesis] = {}
        for rank in range(max(map(len, ranked))):
            for group in ranked:
                if rank < len(group) and len(picked) < self.options.num_hypotheses:
                    picked.setdefault(group[rank].ids, group[rank])
        return sorted(picked.values(), key=lambda one: -one.score)
