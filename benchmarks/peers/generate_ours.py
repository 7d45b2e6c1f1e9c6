"""Decodes batches of texts with a bundle of this repository, in turns: by its engine, or by the reference.

    python generate_ours.py engine|reference SETTINGS.json

``benchmarks/generation.py`` writes the settings and says what a turn is.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.peers.generation_turns import Batch, take_turns
from seq2seq_core.bundle.bundle import load_bundle
from seq2seq_core.decoding.predictor import Predictor


def main() -> None:
    """Takes turns until standard input ends."""
    settings = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    torch.set_num_threads(settings["threads"])
    predictor = Predictor(load_bundle(Path(settings["bundle"])), uses_engine=sys.argv[1] == "engine")

    def decode(batches: Sequence[Batch], beam_size: int) -> None:
        texts = [text for batch in batches for text in batch["texts"]]
        predictor.predict(texts, predictor.options.override(beam_size=beam_size), len(batches[0]["texts"]))

    take_turns(settings["batches"], decode)


if __name__ == "__main__":
    main()
