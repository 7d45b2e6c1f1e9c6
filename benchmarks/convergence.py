"""Trains the reference work here and by a plain implementation, from the same weights on the same batches: curves of dev loss.

    python benchmarks/convergence.py --corpus FOLDER                 three seeds, 400 updates each: about an hour of one core
    python benchmarks/convergence.py --corpus FOLDER --seeds 1 2 3 4 5       more seeds; those that are there are not trained again
    python benchmarks/convergence.py --corpus FOLDER --dropout 0 --seeds 1   the two must then draw the same curve

FOLDER holds Multi30k English to German, train.tsv and so on (configs/multi30k_en_de.yaml). Ours is the engine as a user has it:
its modules, its loss, its dropout of 8 random bits, its optimiser. The plain one (benchmarks/peers/plain.py) is PyTorch's own
layers, whole logits and cross-entropy. Before a seed is trained the two must agree in the loss of its first batch. They differ in
their dropout alone: its places are the same, its probability to 1 / 256, its random numbers are not, and these are the noise that
a difference is measured by. The verdict is by a paired t interval over the seeds (benchmarks/measured/curves.py).

Ctrl-C keeps the curves that are finished: the same command goes on from them. They are files under .s2s/benchmark/convergence, a
folder for each choice of settings; remove it to measure anew.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measured.curves import as_table, verdict
from benchmarks.peers.ours import Reference
from benchmarks.peers.plain import PlainTraining, PlainTransformer, as_plain, summed_loss
from benchmarks.training import BATCH_TOKENS, ROOT, WORKS, our_model, tokenize
from seq2seq_core import atomic
from seq2seq_core.batching.batch import collate
from seq2seq_core.batching.sampler import TokenBucketSampler
from seq2seq_core.reproducibility import derive_seed, digest
from seq2seq_core.training.objectives.objective import Moment, UpdateSize
from seq2seq_core.training.validation import Validator

WORK = "reference"
TOLERANCE = 1e-5
"""Maximum relative difference between the two first losses without dropout."""


def plain_of(reference: Reference, shape: dict[str, Any]) -> PlainTraining:
    """The plain implementation, with the current weights of ours.

    Args:
        reference: our implementation.
        shape: the model's shape, an entry of ``WORKS``.
    """
    model = PlainTransformer(reference.inputs.manifest.target.vocabulary_size, shape)
    model.load_state_dict(as_plain(reference.updater.model.state_dict()))
    return PlainTraining(model, reference.phase)


def check_start(settings: dict[str, Any]) -> None:
    """Exits with a message unless both have the same loss on the first batch, in training mode without dropout.

    Args:
        settings: the settings of one seed.
    """
    silent = {**settings, "model": {**settings["model"], "dropout": 0.0}}
    reference = Reference(silent)
    plain = plain_of(reference, {**settings["shape"], "dropout": 0.0})
    batch, ours = next(reference.batches()), reference.updater
    size = UpdateSize(batch.num_target_tokens, batch.source.num_rows)
    with torch.no_grad():
        first = float(ours.objective.loss(ours.model.train(), batch, size, Moment(1, 0)).loss)
        second = float(summed_loss(plain.model.train(), batch, reference.phase.label_smoothing)) / batch.num_target_tokens
    print(f"seed {settings['seed']}: first loss without dropout: ours {first:.6f}, plain {second:.6f}", flush=True)
    if abs(first - second) > TOLERANCE * second:
        sys.exit("the two do not begin as the same function: a comparison of their curves would mean nothing")


def train_ours(settings: dict[str, Any]) -> Iterator[float]:
    """The dev loss per target token at each validation of our implementation."""
    reference = Reference(settings)
    inputs = reference.inputs
    validator = Validator(inputs.dev, [], inputs.target_tokenizer, reference.phase, reference.placement)
    for step, batch in enumerate(itertools.islice(reference.batches(), settings["updates"]), start=1):
        reference.update(batch, step)
        if step % settings["every"] == 0:
            yield validator.validate(reference.updater.kept_model, lambda: None).loss


def train_plain(settings: dict[str, Any]) -> Iterator[float]:
    """The dev loss per target token at each validation of the plain implementation."""
    reference = Reference(settings)
    training, dev = plain_of(reference, settings["shape"]), reference.inputs.dev
    dev_batches = [collate(dev, places) for places in TokenBucketSampler(dev, settings["batch_tokens"], seed=0).in_order()]
    torch.manual_seed(derive_seed(settings["seed"], "plain"))
    for step, batch in enumerate(itertools.islice(reference.batches(), settings["updates"]), start=1):
        training.update(batch)
        if step % settings["every"] == 0:
            yield training.validate(dev_batches)


SYSTEMS: dict[str, Callable[[dict[str, Any]], Iterator[float]]] = {"ours": train_ours, "plain": train_plain}


def find_curve(name: str, settings: dict[str, Any], folder: Path) -> list[float]:
    """The curve of a system and a seed, read from its file, or trained and stored there.

    Args:
        name: the system's name, a key of ``SYSTEMS``.
        settings: the settings of the seed.
        folder: the folder of the curves with these settings.
    """
    path = folder / f"{name}-{settings['seed']}.json"
    if not path.exists():
        losses: list[float] = []
        for loss in SYSTEMS[name](settings):
            losses.append(loss)
            print(f"seed {settings['seed']}, {name}: update {len(losses) * settings['every']}, dev loss {loss:.4f}", flush=True)
        atomic.write_text(path, json.dumps({"settings": settings, "losses": losses}, indent=1) + "\n")
    found: list[float] = json.loads(path.read_text(encoding="utf-8"))["losses"]
    return found


def compare(settings: dict[str, Any], seeds: list[int], folder: Path) -> None:
    """Trains the missing curves, and prints table and verdict.

    Args:
        settings: the common settings of all seeds.
        seeds: the seeds of initial weights, order of batches and dropout.
        folder: the folder of the curves.
    """
    curves: dict[str, list[list[float]]] = {name: [] for name in SYSTEMS}
    for seed in seeds:
        of_seed = {**settings, "seed": seed}
        if not all((folder / f"{name}-{seed}.json").exists() for name in SYSTEMS):
            check_start(of_seed)
        for name in SYSTEMS:
            curves[name].append(find_curve(name, of_seed, folder))
    steps = range(settings["every"], settings["updates"] + 1, settings["every"])
    print(f"\ndev loss a target token in nats, mean ± standard deviation of {len(seeds)} seeds; difference: ours less plain\n")
    print(as_table(steps, curves["ours"], curves["plain"]))
    print(f"\n{verdict(curves['ours'], curves['plain'])}")


def main() -> None:
    """Runs the comparison from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of Multi30k English to German")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3], help="of weights, batches and dropout (default: 1 2 3)")
    parser.add_argument("--updates", type=int, default=400, help="of each training (default: 400)")
    parser.add_argument("--every", type=int, default=50, help="updates between validations (default: 50)")
    parser.add_argument("--warmup", type=int, default=100, help="updates of the warm-up (default: 100)")
    parser.add_argument("--dropout", type=float, default=WORKS[WORK]["dropout"], help="(default: that of the work, %(default)s)")
    parser.add_argument(
        "--batch-tokens", type=int, default=BATCH_TOKENS[WORK], help="source and target, padding included (default: %(default)s)"
    )
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: PyTorch's choice)")
    parser.add_argument("--folder", type=Path, default=ROOT / ".s2s" / "benchmark", help="of data and curves")
    arguments = parser.parse_args()
    if not 0 < arguments.every <= arguments.updates or arguments.warmup < 1:
        parser.error("--every must be from 1 to --updates, and --warmup at least 1")
    folder = arguments.folder.resolve()
    tokenized = tokenize(arguments.corpus, folder / "workspace")
    shape = {**WORKS[WORK], "dropout": arguments.dropout}
    settings = {
        "shape": shape, "model": our_model(shape), "batch_tokens": arguments.batch_tokens, "device": "cpu",
        "updates": arguments.updates, "every": arguments.every, "recipe": {"warmup_steps": arguments.warmup},
    }  # fmt: skip
    key = digest([settings, (tokenized / "manifest.json").read_text(encoding="utf-8")])[:12]
    rest = {"tokenized": str(tokenized), "threads": arguments.threads}
    try:
        compare(settings | rest, arguments.seeds, folder / "convergence" / key)
    except KeyboardInterrupt:
        sys.exit("\nstopped; finished curves are kept, and the same command goes on from them")


if __name__ == "__main__":
    main()
