"""Decodes batches of ids with ``generate`` of Hugging Face transformers, in turns.

    python generate_hugging_face.py SETTINGS.json

``benchmarks/generation.py`` writes the settings and says what a turn is. The weights are random; the lengths are forced. Runs
in its own virtual environment.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from generation_turns import Batch, take_turns
from hugging_face import build
from pieces import BOS_ID, PAD_ID


def main() -> None:
    """Takes turns until standard input ends."""
    settings = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(settings["threads"])
    torch.manual_seed(1)
    model = build({**settings["shape"], "dropout": 0.0}, settings["vocabulary"]).eval()
    model.config.use_cache = model.generation_config.use_cache = True

    @torch.inference_mode()
    def decode(batches: Sequence[Batch], beam_size: int) -> None:
        for batch in batches:
            steps = batch["steps"][str(beam_size)]
            sources = [torch.tensor(row) for row in batch["ids"]]
            ids = torch.nn.utils.rnn.pad_sequence(sources, batch_first=True, padding_value=PAD_ID)
            found = model.generate(
                input_ids=ids, attention_mask=ids.ne(PAD_ID).long(), num_beams=beam_size, do_sample=False,
                min_new_tokens=steps, max_new_tokens=steps, decoder_start_token_id=BOS_ID,
            )  # fmt: skip
            assert found.shape == (len(sources), 1 + steps)

    take_turns(settings["batches"], decode)


if __name__ == "__main__":
    main()
