from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from seq2seq_core.config.model import ModelSection


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"width": 10, "architecture": "transformer"}, "width must be a multiple of heads, got width 10 and heads 4"),
        ({"width": 10, "decoder": "transformer"}, "width must be a multiple of heads, got width 10 and heads 4"),
        ({"width": 10, "attention": "multi_head"}, "width must be a multiple of heads, got width 10 and heads 4"),
        (
            {"width": 12, "architecture": "transformer", "positions": "rotary"},
            "width divided by heads must be even with positions 'rotary', got width 12 and heads 4",
        ),
        ({"time_reduction": 3, "encoder_layers": 2}, "time_reduction must be at most encoder_layers, got 3 with 2 layers"),
        (
            {"coverage": True, "attention": "dot"},
            "coverage must be false unless a recurrent decoder has attention 'additive', got attention 'dot'",
        ),
        (
            {"coverage": True, "architecture": "transformer"},
            "coverage must be false unless a recurrent decoder has attention 'additive', got a Transformer decoder",
        ),
        ({"attention": "none", "input_feeding": True}, "input_feeding must be false with attention 'none', got true"),
        ({"attention": "none", "pointer_generator": True}, "pointer_generator must be false with attention 'none', got true"),
        (
            {"attention": "none", "bridge": "zero"},
            "bridge must be 'last' or 'mean' with attention 'none': nothing else tells of the source; got 'zero'",
        ),
        (
            {"pointer_generator": True, "time_reduction": 1},
            "time_reduction must be 0 with pointer_generator, which copies position by position, got 1",
        ),
        ({"alignment_order": 1}, "alignment_order must be left out with alignment 'soft', got 1"),
        ({"alignment_copies": True}, "alignment_copies must be left out with alignment 'soft', got True"),
        (
            {"alignment": "monotonic", "architecture": "transformer"},
            "alignment must be 'soft' with a Transformer decoder, got 'monotonic'",
        ),
        (
            {"alignment": "monotonic", "input_feeding": True},
            "input_feeding must be false with alignment 'monotonic', which has no attention, got true",
        ),
        ({"alignment": "edits", "alignment_order": 1}, "alignment_order must be 0 with alignment 'edits', got 1"),
        (
            {"alignment": "monotonic", "alignment_copies": True},
            "alignment_copies must be false with alignment 'monotonic', got true",
        ),
        (
            {"alignment": "edits", "alignment_copies": True, "time_reduction": 1},
            "time_reduction must be 0 with alignment_copies, which copies position by position, got 1",
        ),
        ({"share_layers": True}, "share_layers must be false without a Transformer, got true"),
        ({"tag_positions": False}, "tag_positions must be true unless the encoder is a Transformer, got 'gru'"),
        (
            {"tag_positions": False, "architecture": "transformer", "positions": "rotary"},
            "tag_positions must be true unless positions are 'sinusoidal' or 'learned', got 'rotary'",
        ),
    ],
)
def test_parts_that_do_not_go_together_are_refused(settings: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ModelSection.model_validate(settings)
    assert [str(error["ctx"]["error"]) for error in caught.value.errors()] == [fault]


def test_each_side_has_the_architecture_unless_it_has_its_own() -> None:
    section = ModelSection(architecture="lstm", encoder="transformer")
    assert (section.encoder_architecture, section.decoder_architecture) == ("transformer", "lstm")
    assert ModelSection(attention="none", decoder="transformer").decoder_architecture == "transformer"
