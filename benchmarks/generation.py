"""Decodes the same batches here, with Hugging Face's ``generate`` and with Marian, in turns.

    python benchmarks/generation.py --bundle FOLDER --sources FILE
    python benchmarks/generation.py --bundle FLOAT32 --int8 INT8 --sources FILE --rounds 5 --sentences 320

FOLDER is a served bundle of a trained Transformer (``models/served``), converted at float32; ``--int8`` the same one at 8 bits.
FILE holds a source a line. A turn decodes all sources, in batches of 64 of similar length. Hugging Face's model is a MarianMT,
Marian's a Transformer, both of the same layers, widths and vocabulary, each in an environment of its own, made at the first
run. Their weights are random, and each of their batches gets as many steps as the longest of our outputs for it has tokens
(Marian's: as many for a source token as all batches together). They get ids; ours gets texts, and turns them into ids and back.
``reference`` is our own decoder in PyTorch.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PEERS = Path(__file__).resolve().parent / "peers"
sys.path.insert(0, str(ROOT))

from benchmarks.peers.environments import HUGGING_FACE, MARIAN, environment  # noqa: E402
from benchmarks.peers.pieces import EOS_ID  # noqa: E402
from benchmarks.peers.side import Side  # noqa: E402
from seq2seq_core.bundle.bundle import load_bundle  # noqa: E402
from seq2seq_core.decoding.predictor import Predictor  # noqa: E402

BATCH = 64
BEAMS = (1, 5)
THEIRS = "hugging face"
Turns = dict[tuple[str, int], list[dict[str, float]]]
"""The seconds of each turn of a side with a beam size, by the clock and of the processor."""


def write_batches(bundle: Path, sources: Sequence[str], file: Path) -> dict[str, Any]:
    """Writes the batches for all sides; returns the shape and the vocabulary of the bundle's model.

    Args:
        bundle: a served bundle.
        sources: the texts.
        file: for the batches.
    """
    predictor = Predictor(load_bundle(bundle))
    loaded = predictor.bundle
    assert loaded.source_tokenizer is not None, "the model reads texts"
    ids_of = [[*row, EOS_ID] for row in loaded.source_tokenizer.encode(sources)]
    rows = sorted(zip(ids_of, sources, strict=True), key=lambda row: len(row[0]))
    batches = []
    for first in range(0, len(rows), BATCH):
        ids, texts = zip(*rows[first : first + BATCH], strict=True)
        steps = {}
        for beam_size in BEAMS:
            outputs = [one.text for one in predictor.predict(texts, predictor.options.override(beam_size=beam_size))]
            steps[beam_size] = 1 + max(map(len, loaded.target_tokenizer.encode(outputs)))
        batches.append({"ids": ids, "texts": texts, "steps": steps})
    file.write_text(json.dumps(batches), encoding="utf-8")
    model = loaded.config.model
    shape = {
        "width": model.width,
        "layers": model.encoder_layers,
        "heads": model.heads,
        "feedforward_width": model.feedforward_width,
    }
    return {"shape": shape, "vocabulary": loaded.config.source_vocabulary_size, "batches": str(file)}


def start(name: str, command: Sequence[str], settings: dict[str, Any], folder: Path) -> Side:
    """Starts a side's process."""
    file = folder / f"{name.replace(' ', '-')}.json"
    file.write_text(json.dumps(settings), encoding="utf-8")
    return Side(name, [*command, str(file)], file.with_suffix(".log"), {**os.environ, "OMP_NUM_THREADS": str(settings["threads"])})


def as_table(turns: Turns, names: Sequence[str], num_sentences: int) -> str:
    """The table: the best turn of each side, by the clock and by seconds of the processor.

    Args:
        turns: the seconds of each turn.
        names: the sides, in order.
        num_sentences: of a turn.
    """
    lines = ["| beam size | decoder | sentences/s | times Hugging Face's | by seconds of the processor |", "|---|---|---|---|---|"]
    for beam_size, name in itertools.product(BEAMS, names):
        best, theirs = (
            {clock: min(one[clock] for one in turns[side, beam_size]) for clock in ("clock", "processor")}
            for side in (name, THEIRS)
        )
        ratios = [theirs[clock] / best[clock] for clock in best]
        lines.append(f"| {beam_size} | {name} | {num_sentences / best['clock']:.1f} | {ratios[0]:.2f} | {ratios[1]:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True, help="served bundle at float32")
    parser.add_argument("--int8", type=Path, help="served bundle of the same model at 8 bits")
    parser.add_argument("--sources", type=Path, required=True, help="a source a line")
    parser.add_argument("--sentences", type=int, default=320, help="the first of them (default: 320)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each at each beam size (default: 3)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="CPU threads (default: all cores)")
    parser.add_argument("--folder", type=Path, default=ROOT / ".s2s" / "benchmark", help="of environments and logs")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    sources = arguments.sources.read_text(encoding="utf-8").splitlines()[: arguments.sentences]
    settings = {**write_batches(arguments.bundle, sources, folder / "batches.json"), "threads": arguments.threads}
    ours, python = [sys.executable, str(PEERS / "generate_ours.py")], environment("hugging_face", HUGGING_FACE, folder)
    marian = environment("marian", MARIAN, folder)
    sides = {
        "float32": start("float32", [*ours, "engine"], {**settings, "bundle": str(arguments.bundle)}, folder),
        "reference": start("reference", [*ours, "reference"], {**settings, "bundle": str(arguments.bundle)}, folder),
        "marian": start("marian", [str(marian), str(PEERS / "generate_marian.py")], settings, folder),
        THEIRS: start(THEIRS, [str(python), str(PEERS / "generate_hugging_face.py")], settings, folder),
    }
    if arguments.int8:
        sides["int8"] = start("int8", [*ours, "engine"], {**settings, "bundle": str(arguments.int8)}, folder)
    turns: Turns = defaultdict(list)
    for number in range(arguments.rounds + 1):
        for beam_size, (name, side) in itertools.product(BEAMS, sides.items()):
            seconds = side.take_turn(str(beam_size))
            if number:  # the first turn warms up
                turns[name, beam_size].append(seconds)
        print(f"round {number} of {arguments.rounds}", flush=True)
    for side in sides.values():
        side.end()
    print(f"\n{len(sources)} sentences, {arguments.threads} threads, best of {arguments.rounds} turns, which alternated\n")
    print(as_table(turns, list(sides), len(sources)))


if __name__ == "__main__":
    main()
