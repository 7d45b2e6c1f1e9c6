from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from seq2seq_core.batching.batch import Source
from seq2seq_core.config.model import Architecture, AttentionKind, ModelSection
from seq2seq_core.config.train import Phase
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.training.hardware.flops import ModelFlops, steps_a_batch

ROWS, SOURCE, TARGET, VOCABULARY, FEATURES = 3, 13, 7, 31, 5
MODELS: dict[str, dict[str, Any]] = {
    "transformer": {"architecture": "transformer", "encoder_layers": 2, "decoder_layers": 3, "time_reduction": 1},
    "gru": {"architecture": "gru", "encoder_layers": 2, "decoder_layers": 2},
    "one direction, input feeding, dot": {"bidirectional": False, "input_feeding": True, "attention": "dot"},
    "lstm, general, gate": {"architecture": "lstm", "attention": "general", "time_scaling": "gate", "decoder_layers": 2},
    "rnn, coverage": {"architecture": "rnn", "coverage": True, "encoder_layers": 3, "time_reduction": 2, "bridge": "mean"},
    "no first state": {"attention": "multi_head", "bridge": "zero"},
    **{f"gru, attention {kind}": {"attention": kind} for kind in get_args(AttentionKind)},
    **{f"{kind} alone": {"architecture": kind} for kind in get_args(Architecture)},
    "relative, shared": {"architecture": "transformer", "positions": "relative", "share_layers": True, "encoder_layers": 2},
    "relative sinusoids": {"architecture": "transformer", "positions": "relative_sinusoidal"},
    "monotonic": {"alignment": "monotonic", "decoder_layers": 2},
    "monotonic, first order": {"alignment": "monotonic", "alignment_order": 1, "time_reduction": 1},
    "edits": {"alignment": "edits"},
    "edits, copies": {"alignment": "edits", "alignment_copies": True},
    "transformer before gru, pointer": {"encoder": "transformer", "pointer_generator": True},
}


def count(settings: ModelSection, frame_width: int) -> tuple[int, int]:
    """Operations that PyTorch counts in the forward pass, and in both passes."""
    torch.manual_seed(1)
    model = build_model(settings, VOCABULARY, VOCABULARY, joint=not frame_width, frame_width=frame_width)
    ids_BS = torch.randint(4, VOCABULARY, (ROWS, SOURCE))
    values = torch.randn(ROWS, SOURCE, frame_width) if frame_width else ids_BS
    target_BT = torch.randint(4, VOCABULARY, (ROWS, TARGET))
    counter = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH), torch.backends.mkldnn.flags(enabled=False), counter:  # fused kernels are not counted
        logits_BTV = model(Source(values, torch.full((ROWS,), SOURCE)), target_BT)
        forward = counter.get_total_flops()
        logits_BTV.sum().backward()
    return forward, counter.get_total_flops()


@pytest.mark.filterwarnings("ignore:TF32 acceleration on top of oneDNN:UserWarning")
@pytest.mark.parametrize("frame_width", [0, FEATURES])
@pytest.mark.parametrize("name", MODELS)
def test_the_formulas_count_what_pytorch_counts(name: str, frame_width: int) -> None:
    settings = ModelSection(width=8, heads=2, feedforward_width=24, dropout=0.0, **MODELS[name])
    if frame_width and (settings.pointer_generator or settings.alignment_copies):
        pytest.skip("ids are copied, not frames")
    flops, (forward, both) = ModelFlops(settings, VOCABULARY, frame_width), count(settings, frame_width)
    position = 2 * SOURCE * 8**2 if settings.time_scaling == "gate" else 0  # of the positions, once a batch
    if settings.positions == "relative_sinusoidal":  # of the distances, once a batch
        position = 2 * 8**2 * (2 * SOURCE - 1 + 2 * TARGET - 1)
    assert 2 * ROWS * flops.multiply_adds(SOURCE, TARGET) == forward - position
    # Nothing was attended to before the first step, so that the filters of location attention have no gradient there.
    tolerance = 0.04 if settings.attention == "location" else 0.03
    assert flops.step(ROWS, SOURCE, TARGET) == pytest.approx(both, rel=tolerance)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"objective": "likelihood"}, 1.0),
        ({"objective": "likelihood", "r_drop_weight": 1.0}, 2.0),
        ({"objective": "likelihood", "scheduled_sampling": {"decay": "linear"}}, 4 / 3),
        ({"objective": "minimum_risk"}, None),
        ({"objective": "back_translation"}, None),
    ],
)
def test_what_is_computed_more_than_once_counts_so(settings: dict[str, Any], expected: float | None) -> None:
    assert steps_a_batch(Phase.model_validate(settings)) == expected
