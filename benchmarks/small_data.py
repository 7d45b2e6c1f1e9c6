"""Trains a ready file with changed settings on a published corpus, or on a part of it, and scores dev (test only when asked).

    python benchmarks/small_data.py g2p g2p2020_fre                                  the file as it is
    python benchmarks/small_data.py g2p g2p2020_fre --set model.alignment=monotonic  with changes
    python benchmarks/small_data.py g2p g2p2020_fre --pairs 800 --seeds 1 2          800 pairs of train, always the same, two seeds
    python benchmarks/small_data.py scan scan_simple --lengths 26 --test             SCAN, split by length: test has longer targets
    python benchmarks/small_data.py inflection_small inflection --corpora data/raw   the sample of `s2s sample-corpus --inflection`

Prints a line a seed: the update with the best dev score, its dev loss in nats a symbol, the share of dev (and of test) that is
wrong, processor seconds of the training. Workspaces lie under --work; nothing is kept for another call.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.console import configure_logging
from seq2seq_core.corpus_survey.choices.size_rules import resize
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train
from seq2seq_core.sweep.dotted import put_setting

ROOT = Path(__file__).resolve().parents[1]


def read_settings(name: str, corpus: Path, changes: list[str], seed: int, fits_sizes: bool = False) -> Settings:
    """The settings of a ready file, changed.

    Args:
        name: of the file in ``configs/``.
        corpus: folder of the corpus.
        changes: ``section.field=value``, the value in YAML; they come last.
        seed: of the training.
        fits_sizes: whether the sizes are derived from the rows of train, as by ``s2s configure --fit-sizes``.
    """
    values: dict[str, Any] = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8"))
    values["corpus"]["path"] = str(corpus)
    if fits_sizes:
        rows = len((corpus / "train.tsv").read_text(encoding="utf-8").splitlines())
        resize(values, parse_settings(values, name), rows)
    for change in [*changes, f"train.seed={seed}"]:
        path, _, text = change.partition("=")
        put_setting(values, path, yaml.safe_load(text))
    return parse_settings({**values, "runtime": {"num_threads": torch.get_num_threads(), "progress": "plain"}}, name)


def copy_corpus(found: Path, folder: Path, pairs: int, longest: int) -> None:
    """Writes a corpus, or the part of it that is asked for.

    Args:
        found: folder of the corpus, with files of tab-separated values without a header.
        folder: output folder.
        pairs: number of pairs of train; 0: all.
        longest: symbols of the longest target of train, the longer ones of all files being test; 0: the corpus's own split.
    """
    splits = {path.stem: path.read_text(encoding="utf-8").splitlines(keepends=True) for path in sorted(found.glob("*.tsv"))}
    if longest:
        rows = sorted({row for lines in splits.values() for row in lines})
        short, long = ([row for row in rows if _is_long(row, longest) == is_wanted] for is_wanted in (False, True))
        splits = {"train": short, "test": long}
    if pairs:
        places = random.Random(1).sample(range(len(splits["train"])), min(pairs, len(splits["train"])))
        splits["train"] = [splits["train"][place] for place in sorted(places)]
    folder.mkdir(parents=True)
    for name, lines in splits.items():
        (folder / f"{name}.tsv").write_text("".join(lines), encoding="utf-8")


def _is_long(row: str, longest: int) -> bool:
    """Whether the target of a row has more symbols."""
    return len(row.split("\t")[1].split()) > longest


def measure(settings: Settings, paths: Paths, splits: list[str]) -> str:
    """Trains and scores a model, described in a line.

    Args:
        settings: of all stages.
        paths: the workspace, new.
        splits: what is scored.
    """
    paths.root.mkdir(parents=True)
    run_prepare(settings, paths, NullRecorder())
    run_tokenize(settings, paths, NullRecorder())
    started = time.process_time()
    trained = run_train(settings, paths, NullRecorder())
    seconds = time.process_time() - started
    with paths.training_curve.open(encoding="utf-8") as file:
        curve = list(csv.DictReader(file))
    lowest = min(curve, key=lambda point: float(point["dev_loss"]))
    shares = ", ".join(f"{split} {100 * wrong_share(settings, paths, split):.2f} % wrong" for split in splits)
    losses = f"dev loss {trained.best_dev_loss:.4f} at update {trained.best_step}"
    losses += f" (lowest {float(lowest['dev_loss']):.4f} at {lowest['step']})"
    return f"{shares}; {losses}; {trained.parameters:,} weights, {seconds:.0f} s of processor"


def wrong_share(settings: Settings, paths: Paths, split: str) -> float:
    """The share of a split whose output is not the reference."""
    pairs = [json.loads(line) for line in paths.prepared_split(split).read_text(encoding="utf-8").splitlines()]
    sources = [pair["source"] for pair in pairs]
    predictions = Predictor.from_folder(paths.bundle).predict(sources, settings.evaluate.decoding, tags=pairs)
    wrong: int = sum(found.text != pair["target"] for found, pair in zip(predictions, pairs, strict=True))
    return wrong / len(pairs)


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="a file of configs/, without its ending")
    parser.add_argument("corpus", help="a folder of --corpora")
    parser.add_argument("--corpora", type=Path, default=ROOT.parent / "shared" / "corpora", help="folder of all corpora")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.FIELD=VALUE", help="a changed setting, in YAML")
    parser.add_argument("--pairs", type=int, default=0, help="pairs of train (default: all)")
    parser.add_argument("--fit-sizes", action="store_true", help="sizes as `s2s configure --fit-sizes` derives them")
    parser.add_argument("--lengths", type=int, default=0, help="symbols of the longest target of train; longer ones are test")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--test", action="store_true", help="score test too: settings must be fixed by then")
    parser.add_argument("--work", type=Path, help="folder of the workspaces (default: a temporary one)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    configure_logging()
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        copy_corpus(arguments.corpora / arguments.corpus, work / "corpus", arguments.pairs, arguments.lengths)
        for seed in arguments.seeds:
            settings = read_settings(arguments.config, work / "corpus", arguments.set, seed, arguments.fit_sizes)
            paths = Paths(work / f"seed-{seed}")
            line = measure(settings, paths, ["dev", "test"] if arguments.test else ["dev"])
            changes = " ".join([*["--fit-sizes"] * arguments.fit_sizes, *arguments.set]) or "as it is"
            print(
                f"{arguments.config}, {arguments.corpus}, {changes}, {arguments.pairs or 'all'} pairs, seed {seed}: {line}",
                flush=True,
            )


if __name__ == "__main__":
    main()
