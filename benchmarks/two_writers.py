"""Two workspaces register at the same moment, round after round: one ledger, and the better version ends as champion.

    python benchmarks/two_writers.py                            50 rounds on SQLite, about 10 minutes
    python benchmarks/two_writers.py --postgresql               on a PostgreSQL server that the script starts
    python benchmarks/two_writers.py --rounds 5

Each round has a registered model of its own, with a champion that answers none of 100 test rows. Two processes, each with a
workspace of its own, then register at once: one model answers 25 rows, the other one the other 75, and all of it is really decoded.
In the end the ledger must have an entry for each of the three, the alias must be where the ledger says, which is the version of 75
rows, and every version must have its decision and its card. Then both processes move one alias as fast as they can, ten moves in
all, and ``s2s history`` must show each in order.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from seq2seq_core.artifacts import Paths  # noqa: E402
from seq2seq_core.config.settings import Settings, parse_settings  # noqa: E402
from tests.postgresql_server import postgresql  # noqa: E402

TEST_ROWS, WORSE_ROWS, MOVES = 100, 25, 10
FIRST, WORSE, BETTER = 1, 2, 3
"""Seeds of the three models' weights."""


@dataclass(frozen=True)
class Order:
    """What a writer is to do.

    Attributes:
        action: ``register`` or ``force``.
        model: the registered model's name.
        seed: of the weights to register.
        versions: the versions to give the alias to, in turn.
        targets: the references of the test set.
    """

    action: str
    model: str
    seed: int = 0
    versions: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


def settings_of(model: str, store: str, paths: Paths) -> Settings:
    """The settings of a workspace, which are also written to its ``params.yaml``."""
    content = {
        "corpus": {"path": "data/raw/dates", "files": {"train": ["train.tsv"]}},
        "register": {"model_name": model, "gate": {"minimum_rows": TEST_ROWS}},
        "evaluate": {"beam_size": 2},
        "runtime": {"device": "cpu", "progress": "plain", "tracking_uri": store},
    }
    paths.params.write_text(json.dumps(content), encoding="utf-8")
    return parse_settings(content, "benchmark")


def write(workspace: Path, store: str, orders: Connection, barrier: Any) -> None:
    """A writer: makes what an order needs, waits for the other one, acts, and answers with the version or the fault."""
    os.chdir(workspace)
    from seq2seq_core.registry.moves import force_version
    from seq2seq_core.registry.receipts import write_receipt
    from seq2seq_core.registry.registration import register_bundle

    paths = Paths(workspace)
    while (order := orders.recv()) is not None:
        settings = settings_of(order.model, store, paths)
        try:
            if order.action == "register":
                make_evaluated(paths, order.seed, order.targets)
                barrier.wait()
                receipt = register_bundle(settings, paths).receipt
                write_receipt(receipt, paths)
                orders.send((receipt.version, receipt.decision))
            else:
                barrier.wait()
                made, targets = 0, itertools.cycle(order.versions)
                while made < MOVES // 2:
                    # The other writer may just have given the alias to that version: then nothing is moved.
                    made += force_version(next(targets), f"by {workspace.name}", settings, paths).is_move
                orders.send(("", "moved"))
        except Exception as error:  # noqa: BLE001 - the figure of this benchmark
            orders.send(("", f"{type(error).__name__}: {error}"))


def make_evaluated(paths: Paths, seed: int, targets: Sequence[str]) -> None:
    """A served bundle of random weights and its evaluation on the test set of the given references."""
    from tests.unit.conftest import write_evaluation_of, write_tiny_bundle

    write_tiny_bundle(paths, seed, 0.0, TEST_ROWS)
    test = paths.prepared_split("test")
    sources = [json.loads(line)["source"] for line in test.read_text(encoding="utf-8").splitlines()]
    pairs = [{"source": source, "target": target} for source, target in zip(sources, targets, strict=True)]
    test.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    write_evaluation_of(paths, pairs, None)


def make_targets(paths: Paths) -> tuple[str, ...]:
    """References of which the better model answers three quarters, the worse one the others, and the first one none."""
    outputs = {}
    for seed in (FIRST, WORSE, BETTER):
        make_evaluated(paths, seed, ["no model's answer"] * TEST_ROWS)
        lines = (paths.evaluation / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
        outputs[seed] = [json.loads(line)["hypothesis"] for line in lines]
    assert all(len(set(answers)) == 3 for answers in zip(*outputs.values(), strict=True)), "the models differ on every row"
    return (*outputs[WORSE][:WORSE_ROWS], *outputs[BETTER][WORSE_ROWS:])


def faults_of_round(model: str, better: str, answers: list[tuple[str, str]], paths: Paths) -> list[str]:
    """What is not in order after a round."""
    from seq2seq_core.registry.ledger_writing import read_ledger
    from seq2seq_core.registry.standing.version_standing import standing_of
    from seq2seq_core.registry.versions import current_champion, logged_model_id
    from seq2seq_core.tracking.mlflow.store import connect

    client = connect(paths)
    ledger, versions = read_ledger(client, model), client.search_model_versions(f"name = '{model}'")
    faults = [f"a writer failed: {what}" for version, what in answers if not version]
    if Counter(entry.version for entry in ledger.entries) != Counter(str(version.version) for version in versions):
        faults.append(f"entries for {[entry.version for entry in ledger.entries]}, versions {[one.version for one in versions]}")
    if len(versions) != 3:
        faults.append(f"{len(versions)} versions")
    if current_champion(client, model) != ledger.champion:
        faults.append(f"the alias is at {current_champion(client, model)}, by the ledger at {ledger.champion}")
    if ledger.champion != better:
        faults.append(f"version {ledger.champion} is champion, version {better} is better")
    if len(client.search_model_versions(f"name = '{model}.ledger'")) < 3:
        faults.append("an entry is lost")
    for version in versions:
        standing = standing_of(str(version.version), ledger)
        decided = "challenger" if standing is None else standing.word
        found = client.get_model_version(model, version.version)
        if found.tags.get("decision") != decided or "artifacts)" not in (found.description or ""):
            faults.append(f"version {version.version} is half registered: {found.tags}, by the ledger it is {decided}")
        if not logged_model_id(found):
            faults.append(f"version {version.version} has no model")
    return faults


def main() -> None:
    """Runs the rounds and the moves, and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--postgresql", action="store_true", help="on a PostgreSQL server of its own, in place of SQLite")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        with postgresql(place / "postgresql") if arguments.postgresql else sqlite(place) as store:
            run(place, store, arguments.rounds)


def run(place: Path, store: str, rounds: int) -> None:
    """The rounds and the moves on one store."""
    context = multiprocessing.get_context("spawn")
    barrier, writers = context.Barrier(2, timeout=300), []
    for name in ("north", "south"):
        workspace = place / name
        workspace.mkdir()
        ours, theirs = context.Pipe()
        process = context.Process(target=write, args=(workspace, store, theirs, barrier), daemon=True)
        process.start()
        writers.append((ours, process))
    first = Paths(place / "first")
    first.root.mkdir()
    os.chdir(first.root)  # MLflow keeps the artifacts of a PostgreSQL store in the current folder
    (first.root / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    targets = make_targets(first)
    register_first(first, store, "round-0", targets)  # also migrates the database, once
    faults: list[str] = []
    before_other = 0
    for number in range(rounds):
        model = f"round-{number}"
        if number:
            register_first(first, store, model, targets)
        seeds = [WORSE, BETTER] if number % 2 else [BETTER, WORSE]
        for (pipe, _), seed in zip(writers, seeds, strict=True):
            pipe.send(Order("register", model, seed, targets=targets))
        answers = [pipe.recv() for pipe, _ in writers]
        better = answers[seeds.index(BETTER)][0]
        before_other += answers[seeds.index(WORSE)][1] == "champion"
        found = [f"{model}: {fault}" for fault in faults_of_round(model, better, answers, first)]
        print(f"round {number + 1} of {rounds}: {answers}{' FAULT' if found else ''}", *found, sep="\n  ", flush=True)
        faults += found
    print(f"{rounds} rounds, {len(faults)} faults; the worse version held the alias for a moment in {before_other} rounds")
    faults += move_at_once(place, store, writers)
    for pipe, process in writers:
        pipe.send(None)
        process.join(30)
    raise SystemExit(1 if faults else 0)


def register_first(paths: Paths, store: str, model: str, targets: Sequence[str]) -> None:
    """Registers the first champion of a model."""
    from seq2seq_core.registry.registration import register_bundle

    make_evaluated(paths, FIRST, targets)
    register_bundle(settings_of(model, store, paths), paths)


def move_at_once(place: Path, store: str, writers: list[tuple[Connection, Any]]) -> list[str]:
    """Ten moves by two writers at once, as ``s2s history`` shows them afterwards; what is not in order."""
    model = "round-0"
    paths = Paths(place / "first")
    settings_of(model, store, paths)
    known = history(paths)
    for (pipe, _), versions in zip(writers, (("2", "1"), ("3", "1")), strict=True):
        pipe.send(Order("force", model, versions=versions))
    answers = [pipe.recv() for pipe, _ in writers]
    shown = history(paths)[len(known) :]
    faults = [what for _, what in answers if what != "moved"]
    if len(shown) != MOVES:
        faults.append(f"{len(shown)} moves in the history, expected {MOVES}")
    print(f"{len(shown)} moves by two writers, as s2s history shows them:", *shown, sep="\n  ")
    return faults


def history(paths: Paths) -> list[str]:
    """The moves that ``s2s history`` shows."""
    command = [Path(sys.executable).parent / "s2s", "history", "--limit", "0"]
    shown = subprocess.run(command, cwd=paths.root, check=True, stdout=subprocess.PIPE, text=True).stdout
    return shown.splitlines()[1:]


@contextmanager
def sqlite(place: Path) -> Iterator[str]:
    """The address of an SQLite file."""
    yield f"sqlite:///{place / 'mlflow.db'}"


if __name__ == "__main__":
    main()
