"""Trains the same work with this repository and with other toolkits, in short turns one after another, and prints tokens a second.

    python benchmarks/training.py --corpus FOLDER              the reference work: a Transformer of 3 + 3 layers of width 256
    python benchmarks/training.py --corpus FOLDER --work gru   an attention GRU of 256
    python benchmarks/training.py --corpus FOLDER --work base  Transformer-base, and --work big: for a GPU, in bfloat16
    python benchmarks/training.py --corpus FOLDER --peers ours products   some of them
    python benchmarks/training.py --corpus FOLDER --busy       each turn alone, and beside a process that keeps a core at full load

FOLDER holds Multi30k English to German, train.tsv and so on (configs/multi30k_en_de.yaml). Each peer has a virtual environment of
its own, made at the first run under .s2s/benchmark (some minutes; needs a package index). ``packed`` is ours with
``runtime.packing``, and ``products`` are the matrix products of our own updates and nothing else: the machine's limit. ``spinning``
is ours with threads that wait in a loop, as OpenMP's do where nobody says otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.peers.environments import HUGGING_FACE, TORCH, environment
from benchmarks.peers.side import Side
from seq2seq_core.artifacts import Paths
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.batching.sampler import TokenBucketSampler
from seq2seq_core.config.settings import parse_settings
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.validate import run_validate

ROOT = Path(__file__).resolve().parents[1]
PEERS = Path(__file__).resolve().parent / "peers"
VOCABULARY = 8000

WORKS: dict[str, dict[str, Any]] = {
    "reference": {"architecture": "transformer", "width": 256, "layers": 3, "heads": 4, "feedforward_width": 1024, "dropout": 0.1},
    "gru": {"architecture": "gru", "width": 256, "layers": 1, "dropout": 0.1},
    "base": {"architecture": "transformer", "width": 512, "layers": 6, "heads": 8, "feedforward_width": 2048, "dropout": 0.1},
    "big": {"architecture": "transformer", "width": 1024, "layers": 6, "heads": 16, "feedforward_width": 4096, "dropout": 0.1},
}
BATCH_TOKENS = {"reference": 4096, "gru": 4096, "base": 24_576, "big": 24_576}
"""Source and target tokens of a batch, padding included; about half are target tokens."""


@dataclass
class Peer:
    """A trainer to time.

    Attributes:
        name: name in the table.
        packages: packages of its virtual environment; empty for this one.
        script: script in ``peers/`` and its mode.
        works: the works that it supports.
        variables: of its environment.
        rates: target tokens per second of each turn.
        busy_rates: the same beside a process at full load.
    """

    name: str
    packages: list[str]
    script: list[str]
    works: list[str]
    variables: dict[str, str] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    busy_rates: list[float] = field(default_factory=list)


TRANSFORMERS = ["reference", "base", "big"]
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE"}  # as the command `s2s` runs us (cli/process_setup.py)
PEER_LIST = [
    Peer("ours", [], ["ours.py", "updates"], list(WORKS), PASSIVE),
    Peer("packed", [], ["ours.py", "packed"], TRANSFORMERS, PASSIVE),
    Peer("products", [], ["ours.py", "products"], list(WORKS), PASSIVE),
    Peer("spinning", [], ["ours.py", "updates"], list(WORKS)),
    Peer("joeynmt", [TORCH, "joeynmt==2.3.0", "sentencepiece==0.2.0", "importlib-metadata"], ["joey.py"], list(WORKS)),
    Peer("hf-loop", HUGGING_FACE, ["hugging_face.py", "loop"], TRANSFORMERS),
    Peer("hf-trainer", HUGGING_FACE, ["hugging_face.py", "trainer"], TRANSFORMERS),
]


def tokenize(corpus: Path, folder: Path) -> Path:
    """Tokenises the corpus by the stages, once, with a joint vocabulary of 8,000 pieces; returns the folder of ids."""
    paths = Paths(folder)
    if not (paths.tokenized / "manifest.json").exists():
        values = yaml.safe_load((ROOT / "configs" / "multi30k_en_de.yaml").read_text(encoding="utf-8"))
        values["corpus"]["path"] = str(corpus.resolve())
        values["tokenize"]["source"]["vocabulary_size"] = VOCABULARY
        settings = parse_settings({**values, "runtime": {"progress": "plain"}}, "multi30k_en_de.yaml")
        folder.mkdir(parents=True, exist_ok=True)
        for stage in (run_validate, run_prepare, run_tokenize):
            stage(settings, paths, NullRecorder())
    return paths.tokenized


def write_pairs(tokenized: Path, path: Path) -> TokenizedDataset:
    """Writes the pairs of train for the peers, in random order; returns the dataset."""
    dataset = TokenizedDataset.open(tokenized, "train")
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(1)).tolist()
    with path.open("w", encoding="utf-8") as file:
        for index in order:
            file.write(json.dumps([dataset.source(index).tolist(), dataset.target(index).tolist()]) + "\n")
    return dataset


def joey_batch_tokens(dataset: TokenizedDataset, target_tokens: float) -> int:
    """JoeyNMT's batch size for about as many target tokens: it counts rows times the longest side, over unsorted pairs."""
    pairs = zip(dataset.source_lengths.tolist(), dataset.target_lengths.tolist(), strict=True)
    lengths: list[int] = [max(pair) + 1 for pair in pairs]
    rows: int = round(target_tokens / (sum(dataset.target_lengths.tolist()) / len(lengths)))
    chunks = [max(lengths[first : first + rows]) * rows for first in range(0, len(lengths) - rows, rows)]
    return round(statistics.mean(chunks))


def our_model(shape: dict[str, Any]) -> dict[str, Any]:
    """The section ``model`` of a work."""
    common = {
        "architecture": shape["architecture"], "width": shape["width"], "encoder_layers": shape["layers"],
        "decoder_layers": shape["layers"], "dropout": shape["dropout"], "tie_embeddings": "all",
    }  # fmt: skip
    if shape["architecture"] == "transformer":
        return {**common, "heads": shape["heads"], "feedforward_width": shape["feedforward_width"]}
    return {**common, "attention": "additive"}


def start(peer: Peer, settings: dict[str, Any], folder: Path) -> Side:
    """Starts a peer's process."""
    own = folder / f"{peer.name}-{settings['work']}"
    own.mkdir(parents=True, exist_ok=True)
    file = own / "settings.json"
    file.write_text(json.dumps({**settings, "folder": str(own)}), encoding="utf-8")
    python = environment(peer.script[0].removesuffix(".py"), peer.packages, folder)
    command = [str(python), str(PEERS / peer.script[0]), *peer.script[1:], str(file)]
    without = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    return Side(peer.name, command, own / "log.txt", {**without, **peer.variables})


def take_turn(side: Side, seconds: float) -> float:
    """Runs one turn; returns its target tokens per second."""
    answer = side.take_turn(str(seconds))
    return float(answer["target_tokens"] / answer["seconds"])


def as_table(peers: list[Peer]) -> str:
    """The table: each peer's median and spread, our rate relative to it turn by turn, and our share of the products' rate."""
    by_name = {peer.name: peer for peer in peers}
    lines = ["| | target tokens/s, median | lowest to highest | ours is, turn by turn |", "|---|---|---|---|"]
    for peer in peers:
        ratio = ""
        if "ours" in by_name and peer.name != "ours":
            ratios = [ours / other for ours, other in zip(by_name["ours"].rates, peer.rates, strict=True)]
            median = statistics.median(ratios)
            ratio = f"{100 * median:.0f} % of it" if peer.name == "products" else f"{median:.2f} ×"
            ratio += f" ({min(ratios):.2f} to {max(ratios):.2f})"
        spread = f"{min(peer.rates):,.0f} to {max(peer.rates):,.0f}"
        lines.append(f"| {peer.name} | {statistics.median(peer.rates):,.0f} | {spread} | {ratio} |")
    return "\n".join(lines)


@contextmanager
def full_load() -> Iterator[None]:
    """Another process that keeps a core busy during the ``with`` block."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def busy_table(peers: list[Peer]) -> str:
    """Each peer's median rate alone and under load, what is left of it, and ours under load relative to it, turn by turn."""
    by_name = {peer.name: peer for peer in peers}
    lines = [
        "| | alone, target tokens/s | beside one busy process | left of it, turn by turn | ours is then |",
        "|---|---|---|---|---|",
    ]
    for peer in peers:
        ratio = ""
        if "ours" in by_name and peer.name != "ours":
            ratios = [ours / other for ours, other in zip(by_name["ours"].busy_rates, peer.busy_rates, strict=True)]
            ratio = f"{statistics.median(ratios):.2f} × ({min(ratios):.2f} to {max(ratios):.2f})"
        left = [100 * busy / quiet for quiet, busy in zip(peer.rates, peer.busy_rates, strict=True)]
        rates = f"{statistics.median(peer.rates):,.0f} | {statistics.median(peer.busy_rates):,.0f}"
        share = f"{statistics.median(left):.0f} % ({min(left):.0f} to {max(left):.0f} %)"
        lines.append(f"| {peer.name} | {rates} | {share} | {ratio} |")
    return "\n".join(lines)


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of Multi30k English to German")
    parser.add_argument("--work", choices=sorted(WORKS), default="reference")
    parser.add_argument("--peers", nargs="+", default=[peer.name for peer in PEER_LIST], metavar="NAME")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default: 5)")
    parser.add_argument("--seconds", type=float, default=8.0, help="of a turn, at least (default: 8)")
    parser.add_argument("--busy", action="store_true", help="also take each turn beside another process at full load")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: PyTorch's choice)")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--folder", type=Path, default=ROOT / ".s2s" / "benchmark", help="of environments and data")
    arguments = parser.parse_args()
    if arguments.work in ("base", "big") and arguments.device == "cpu":
        sys.exit(f"--work {arguments.work} is for a GPU, and there is none here; --device cpu would take minutes a step")
    folder, work = arguments.folder.resolve(), arguments.work
    peers = [peer for peer in PEER_LIST if peer.name in arguments.peers and work in peer.works]
    tokenized = tokenize(arguments.corpus, folder / "workspace")
    pairs = folder / "pairs.jsonl"
    dataset = write_pairs(tokenized, pairs)
    sampler = TokenBucketSampler(dataset, BATCH_TOKENS[work], seed=1)
    target_tokens = float(dataset.target_lengths.sum()) / sampler.num_batches
    settings = {
        "work": work, "shape": WORKS[work], "model": our_model(WORKS[work]), "vocabulary": VOCABULARY, "device": arguments.device,
        "threads": arguments.threads, "batch_tokens": BATCH_TOKENS[work], "target_tokens": target_tokens,
        "tokenized": str(tokenized), "pairs": str(pairs), "joey_batch_tokens": joey_batch_tokens(dataset, target_tokens),
    }  # fmt: skip
    sides = {peer.name: start(peer, settings, folder) for peer in peers}
    for side in sides.values():  # warm-up turn
        take_turn(side, 2.0)
    for number in range(arguments.rounds):
        for peer in peers:
            peer.rates.append(take_turn(sides[peer.name], arguments.seconds))
            if arguments.busy:
                with full_load():
                    peer.busy_rates.append(take_turn(sides[peer.name], arguments.seconds))
        print(f"round {number + 1}: " + ", ".join(f"{peer.name} {peer.rates[-1]:,.0f}" for peer in peers), flush=True)
    for side in sides.values():
        side.end()
    print(f"\n{work}: {target_tokens:,.0f} target tokens a batch, {arguments.device}, {torch.get_num_threads()} CPU threads\n")
    print(as_table(peers))
    if arguments.busy:
        print(f"\n{busy_table(peers)}")


if __name__ == "__main__":
    main()
