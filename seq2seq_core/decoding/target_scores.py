"""Log-probabilities of given targets for given sources, by teacher forcing, without search.

Shapes: B batch, T target length (with bos or eos), V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from seq2seq_core.batching.batch import Source
from seq2seq_core.decoding.hypothesis import check_evaluation_mode
from seq2seq_core.tokenization.special_tokens import BOS_ID, EOS_ID, PAD_ID


class TeacherForcedModel(Protocol):
    """A model that predicts every symbol of given targets at once, such as :class:`~seq2seq_core.modeling.seq2seq.Seq2Seq`."""

    def __call__(self, source: Source, target_in_BT: Tensor) -> Tensor:
        """The logits_BTV of the symbols that follow target_in_BT."""


@dataclass(frozen=True)
class TargetScore:
    """The probability of a target under a model.

    Attributes:
        log_probability: natural logarithm of the target's probability, eos included.
        num_tokens: tokens of the target, eos included.
    """

    log_probability: float
    num_tokens: int

    @property
    def per_token(self) -> float:
        """The mean log-probability per token; exp(-per_token) is the target's perplexity."""
        return self.log_probability / self.num_tokens


@torch.no_grad()
def score_targets(model: TeacherForcedModel, source: Source, targets: Sequence[Sequence[int]]) -> list[TargetScore]:
    """The log-probability of each target for its source; a search reports the same value for that hypothesis.

    Args:
        model: in evaluation mode.
        source: on the model's device.
        targets: ids without bos and eos, one row for each source; a row may be empty.

    Raises:
        ValueError: the model is in training mode, the numbers of targets and sources differ, or a target holds pad, bos or eos.
    """
    check_evaluation_mode(model)
    if len(targets) != source.num_rows:
        raise ValueError(f"expected a target for each of {source.num_rows} sources, got {len(targets)}")
    for place, target in enumerate(targets):
        if {PAD_ID, BOS_ID, EOS_ID}.intersection(target):
            raise ValueError(f"target {place} must be without pad, bos and eos, got {list(target)}")
    rows = [torch.tensor([*target, EOS_ID], dtype=torch.int64) for target in targets]
    out_BT = pad_sequence(rows, batch_first=True, padding_value=PAD_ID).to(source.lengths_B.device)
    # The input needs no padding of its own: positions after a target are not scored, and no position looks ahead.
    in_BT = functional.pad(out_BT[:, :-1], (1, 0), value=BOS_ID)
    logits_BTV = model(source, in_BT)
    log_probabilities_BTV = logits_BTV.to(torch.promote_types(logits_BTV.dtype, torch.float32)).log_softmax(dim=-1)
    chosen_BT = log_probabilities_BTV.gather(2, out_BT.unsqueeze(2)).squeeze(2).masked_fill(out_BT == PAD_ID, 0.0)
    return [TargetScore(total, len(row)) for total, row in zip(chosen_BT.sum(dim=1).tolist(), rows, strict=True)]
