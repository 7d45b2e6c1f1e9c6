"""What sentences without translations add to few pairs: Multi30k, English to German, by the public commands.

    python benchmarks/unsupervised.py FOLDER                     all three systems; FOLDER keeps their workspaces
    python benchmarks/unsupervised.py FOLDER --only supervised   one of them; those whose predictions are there are in the table

Of the 29,000 pairs of train 2,000 stay pairs. Of the first half of the others the English sentences are kept, of the second half
the German ones, so that no sentence has its translation among them. The systems share architecture, vocabulary size and dev:

    supervised       the pairs alone, both directions
    semi_supervised  configs/unsupervised_en_de.yaml: also denoising, then back-translation
    unsupervised     the same without a pair

BLEU of test 2016 is by sacreBLEU on the text as it is tokenised; p is of a paired bootstrap (Koehn 2004) against ``supervised``.
The corpus is looked for in ../shared/corpora, or where SEQ2SEQ_CORPORA says.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from sacrebleu.metrics import BLEU
from sacrebleu.significance import PairedTest

ROOT = Path(__file__).resolve().parents[1]
CORPORA = Path(os.environ.get("SEQ2SEQ_CORPORA", ROOT.parent / "shared" / "corpora"))
READY = ROOT / "configs" / "unsupervised_en_de.yaml"
NUM_PAIRS = 2000
RESAMPLINGS = 1000
STAGES = ("validate", "prepare", "tokenize", "train", "evaluate")


def make_corpus(folder: Path, seed: int) -> None:
    """Writes the pairs that stay pairs and the sentences that lose their translations."""
    source = CORPORA / "multi30k_en_de_tok"
    lines = (source / "train.tsv").read_text(encoding="utf-8").splitlines()
    random.Random(seed).shuffle(lines)
    folder.mkdir(parents=True, exist_ok=True)
    pairs, rest = lines[:NUM_PAIRS], [line.split("\t") for line in lines[NUM_PAIRS:]]
    half = len(rest) // 2
    contents = {
        "train.tsv": pairs,
        "monolingual.en.txt": [english for english, _ in rest[:half]],
        "monolingual.de.txt": [german for _, german in rest[half:]],
        "dev.tsv": (source / "dev.tsv").read_text(encoding="utf-8").splitlines(),
        "test.tsv": (source / "test_2016_flickr.tsv").read_text(encoding="utf-8").splitlines(),
    }
    for name, content in contents.items():
        (folder / name).write_text("".join(f"{line}\n" for line in content), encoding="utf-8")


def supervised(settings: dict[str, Any]) -> None:
    """Leaves the pairs alone, for as long as they help."""
    del settings["corpus"]["monolingual"]
    settings["train"] |= {"phases": [{"objective": "likelihood"}], "max_steps": 3000}


def semi_supervised(settings: dict[str, Any]) -> None:
    """Leaves the ready settings as they are."""


def unsupervised(settings: dict[str, Any]) -> None:
    """Takes the pairs away; denoising stays what keeps each language itself."""
    settings["corpus"]["files"]["train"] = []
    settings["corpus"]["both_directions"] = False
    for phase in settings["train"]["phases"]:
        phase["mixture"] = {}


SYSTEMS: dict[str, Callable[[dict[str, Any]], None]] = {
    system.__name__: system for system in (supervised, semi_supervised, unsupervised)
}


def run_system(name: str, workspace: Path, corpus: Path) -> None:
    """Runs the stages of a system in a workspace of its own; what is trained already is not trained again."""
    workspace.mkdir(parents=True, exist_ok=True)
    (workspace / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    settings = copy.deepcopy(yaml.safe_load(READY.read_text(encoding="utf-8")))
    SYSTEMS[name](settings)
    changed = workspace / "settings.yaml"
    changed.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    call("configure", str(changed), "--corpus", str(corpus), "--force", "--workspace", str(workspace))
    for stage in STAGES:
        call(stage, "--workspace", str(workspace))


def call(*arguments: str) -> None:
    """Runs ``s2s``, and ends the benchmark where it fails."""
    program = [sys.executable, "-c", "from seq2seq_core.cli.main import main; main()"]
    subprocess.run([*program, *arguments], check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})


def print_table(folder: Path) -> None:
    """Compares the systems whose predictions are there."""
    rows = {
        name: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for name in SYSTEMS
        if (path := folder / name / "reports" / "evaluation" / "predictions.jsonl").is_file()
    }
    references = [row["reference"] for row in next(iter(rows.values()))]
    hypotheses = [(name, [row["hypothesis"] for row in own]) for name, own in rows.items()]
    metric = BLEU(tokenize="none", force=True)
    print(f"{'system':18}{'test BLEU':>10}{'p':>8}")
    if len(hypotheses) == 1:
        ((name, texts),) = hypotheses
        print(f"{name:18}{metric.corpus_score(texts, [references]).score:10.2f}")
        return
    _, scores = PairedTest(hypotheses, {"BLEU": metric}, [references], test_type="bs", n_samples=RESAMPLINGS)()
    for (name, _), result in zip(hypotheses, scores["BLEU"], strict=True):
        p_value = "" if result.p_value is None else f"{result.p_value:.3f}"
        print(f"{name:18}{result.score:10.2f}{p_value:>8}")


def main() -> None:
    """Trains, scores and compares the systems."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--seed", type=int, default=1, help="of the choice of pairs")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.resolve()
    make_corpus(folder / "corpus", arguments.seed)
    for name in arguments.only:
        run_system(name, folder / name, folder / "corpus")
    print_table(folder)


if __name__ == "__main__":
    main()
