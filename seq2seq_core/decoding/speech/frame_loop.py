"""The decoding loop over frames: step by step until the model says that it is the end, or a limit.

Shapes: B batch, S source length, T frames, R steps, M mel bands.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from seq2seq_core.batching.batch import Source
from seq2seq_core.decoding.stopping import Stop, check_stop
from seq2seq_core.modeling.speech_model import SpeechModel


@dataclass(frozen=True)
class Utterance:
    """What a model wrote for a source.

    Attributes:
        frames_TM: with the post-net's output added; at least one step's.
        attention_RS: weights over the source at each step, without padding.
        is_cut: whether the limit ended it, and not the model.
    """

    frames_TM: NDArray[np.float32]
    attention_RS: NDArray[np.float32]
    is_cut: bool


@torch.inference_mode()
def write_utterances(model: SpeechModel, source: Source, max_frames: int, stop: Stop | None = None) -> list[Utterance]:
    """The utterance of each source: the same alone or in any batch, and at each call.

    Args:
        model: in evaluation mode.
        source: on its device.
        max_frames: most frames of an utterance; at least one step is made.
        stop: whether to end now; None: never.

    Raises:
        DecodingStopped: ``stop`` said so.
    """
    memory, size = model.encode(source), model.frames.frames_per_step
    state, last_BM = model.initial_state(memory), memory.values_BSD.new_zeros(source.num_rows, model.num_mels)
    limit = max(1, max_frames // size)
    ends_B = torch.full((source.num_rows,), limit, device=last_BM.device)
    is_cut_B = torch.ones_like(ends_B, dtype=torch.bool)
    threshold = math.log(model.frames.stop_threshold / (1.0 - model.frames.stop_threshold))
    frames, weights = [], []
    for number in range(1, limit + 1):
        check_stop(stop)
        step = model.write_step(last_BM, state, number - 1)
        state, last_BM = step.state, step.frames_NPM[:, -1]
        frames.append(step.frames_NPM)
        weights.append(step.attention_NS)
        has_ended_B = (step.stop_N >= threshold) & is_cut_B
        ends_B[has_ended_B] = number
        is_cut_B &= ~has_ended_B
        if not bool(is_cut_B.any()):
            break
    before_BTM = torch.cat(frames, dim=1)
    places_T = torch.arange(before_BTM.shape[1], device=ends_B.device)
    after_BTM = model.refine(before_BTM, places_T >= (ends_B * size).unsqueeze(1)).float().cpu().numpy()
    attention_BRS, is_padding_BS = torch.stack(weights, dim=1).float().cpu().numpy(), memory.padding_mask_BS.cpu().numpy()
    return [
        Utterance(after_BTM[row, : end * size], attention_BRS[row, :end, ~is_padding_BS[row]].T.copy(), is_cut)
        for row, (end, is_cut) in enumerate(zip(ends_B.tolist(), is_cut_B.tolist(), strict=True))
    ]
