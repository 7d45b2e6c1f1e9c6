"""Decodes batches of ids with Marian, in turns.

    python generate_marian.py SETTINGS.json

``benchmarks/generation.py`` writes the settings and says what a turn is. Marian itself makes the model, by one update; its bias
then forbids the end mark, so that every output gets the longest length. Runs in its own virtual environment.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from generation_turns import Batch, take_turns
from pieces import EOS_ID
from pymarian import Trainer, Translator

FORBIDDEN = -1e9


def words(ids: Sequence[int]) -> str:
    """A source as Marian's words; it adds the end mark itself."""
    return " ".join(f"t{one}" for one in ids if one != EOS_ID)


def make_model(folder: Path, vocabulary: int, shape: dict[str, int]) -> list[str]:
    """Writes a model of a shape; returns the options that name it."""
    marks = {"</s>": 0, "<unk>": 1}
    entries = marks | {f"t{number}": number for number in range(len(marks), vocabulary)}
    names, text, model = folder / "marian.vocabulary.yml", folder / "marian.train.txt", folder / "marian.npz"
    names.write_text("".join(f"{json.dumps(name)}: {number}\n" for name, number in entries.items()), encoding="utf-8")
    text.write_text("t2 t3 t4\n" * 8, encoding="utf-8")
    vocabularies = ["--vocabs", str(names), str(names)]
    Trainer(
        f"--type transformer --enc-depth {shape['layers']} --dec-depth {shape['layers']} --dim-emb {shape['width']}"
        f" --transformer-dim-ffn {shape['feedforward_width']}"
        f" --transformer-heads {shape['heads']} --tied-embeddings-all --cpu-threads 1 --after 1u --mini-batch 4 --quiet --overwrite"
        f" --train-sets {text} {text} --model {model} {' '.join(vocabularies)} --dim-vocabs {vocabulary} {vocabulary}"
    ).train()
    with np.load(model) as stored:
        weights = dict(stored)
    weights["decoder_ff_logit_out_b"][0, 0] = FORBIDDEN
    np.savez(model, **weights)
    return ["--models", str(model), *vocabularies]


def _lengths(batch: Batch, beam_size: int) -> tuple[int, int]:
    """The steps of a batch, and the tokens of its longest source."""
    return batch["steps"][str(beam_size)], max(map(len, batch["ids"]))


def main() -> None:
    """Takes turns until standard input ends."""
    settings = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    model = make_model(Path(sys.argv[1]).parent, settings["vocabulary"], settings["shape"])
    translators: dict[int, Translator] = {}

    def decode(batches: Sequence[Batch], beam_size: int) -> None:
        if beam_size not in translators:
            steps, longest = (sum(found) for found in zip(*(_lengths(batch, beam_size) for batch in batches), strict=True))
            options = f"--beam-size {beam_size} --normalize 1 --max-length-factor {steps / longest:.3f} --maxi-batch 1"
            threads = f"--mini-batch {len(batches[0]['ids'])} --cpu-threads {settings['threads']}"
            translators[beam_size] = Translator(f"{' '.join(model)} {options} {threads} --quiet")
        rows = [words(row) for batch in batches for row in batch["ids"]]
        found = translators[beam_size].translate(rows)
        assert all(len(text.split()) > 1 for text in found)

    take_turns(settings["batches"], decode)


if __name__ == "__main__":
    main()
