"""The loss of the encoder's own symbols, against the sum over all alignments."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from seq2seq_core.batching.batch import collate_pairs
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.train import PhaseSettings
from seq2seq_core.modeling.memory import Memory
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.tokenization.special_tokens import EOS_ID
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.objectives.ctc import BLANK_ID, ctc_sum
from seq2seq_core.training.objectives.likelihood import Likelihood
from seq2seq_core.training.objectives.objective import Moment, UpdateSize

V, TAG = 8, 7


def collapse(path: tuple[int, ...]) -> list[int]:
    """Repeated symbols once, without blanks (Graves 2006, section 3.1)."""
    return [symbol for symbol, _ in itertools.groupby(path) if symbol != BLANK_ID]


def test_the_loss_is_that_of_all_alignments(fresh_seed: int) -> None:
    torch.manual_seed(fresh_seed)
    logits_BSV = torch.randn(2, 4, V)
    mask_BS = torch.tensor([[False] * 4, [False] * 3 + [True]])
    memory = Memory(torch.zeros(2, 4, 2), mask_BS, torch.zeros(2, 2))
    batch = collate_pairs([[5, 6], [5]], [[TAG, 5, 5, EOS_ID], [TAG, 6, EOS_ID]], [0, 1])
    total = 0.0
    for row, (steps, target) in enumerate(((4, [5, 5]), (3, [6]))):
        probability_SV = logits_BSV[row, :steps].softmax(dim=-1)
        total -= math.log(
            sum(
                math.prod(float(probability_SV[step, symbol]) for step, symbol in enumerate(path))
                for path in itertools.product(range(V), repeat=steps)
                if collapse(path) == target
            )
        )
    assert float(ctc_sum(logits_BSV, memory, batch, [TAG])) == pytest.approx(total, rel=1e-4)


def test_a_target_with_too_few_steps_counts_as_nothing() -> None:
    memory = Memory(torch.zeros(1, 1, 2), torch.tensor([[False]]), torch.zeros(1, 2))
    logits_BSV = torch.zeros(1, 1, V, requires_grad=True)
    loss = ctc_sum(logits_BSV, memory, collate_pairs([[5]], [[5, 6, EOS_ID]], [0]), [])
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0.0
    assert logits_BSV.grad is not None
    assert not logits_BSV.grad.any()


def test_the_objective_adds_the_loss_by_its_weight(fresh_seed: int) -> None:
    torch.manual_seed(fresh_seed)
    model = build_model(ModelSection.model_validate({"width": 8, "dropout": 0.0, "ctc": True}), V, V, joint=False).train()
    batch, size = collate_pairs([[5, 6, 4, 3], [5, 3]], [[6, 5, 3], [6, 3]], [0, 1]), UpdateSize(5, 2)
    placement = Placement(torch.device("cpu"), is_bfloat16=False)
    losses = {
        weight: Likelihood(PhaseSettings(ctc_weight=weight, label_smoothing=0.0), placement).loss(model, batch, size, Moment(1, 1))
        for weight in (0.0, 0.5)
    }
    with torch.no_grad():
        memory = model.encode(batch.source)
    added = float(ctc_sum(model.ctc_logits(memory), memory, batch, []).detach()) / 5
    assert float(losses[0.5].loss.detach()) == pytest.approx(float(losses[0.0].loss.detach()) + 0.5 * added, rel=1e-4)
    assert losses[0.5].measures["ctc_loss"].total / 5 == pytest.approx(added, rel=1e-4)
    assert float(losses[0.5].negative_log_likelihood) == pytest.approx(float(losses[0.0].negative_log_likelihood), rel=1e-4)
