"""Texts and scores of every door beside those of the evaluation, and what forced and forbidden phrases do, on a model of dates.

    python benchmarks/door_parity.py
    python benchmarks/door_parity.py --architecture gru --steps 300 --rows 500

A workspace of its own: sample corpus, training, export, and for each beam size an evaluation. The same test rows then go through
the predictor at several sizes of a batch, through ``s2s predict``, and over HTTP to ``s2s serve``: clients at once, requests of
several sizes, so that the batcher mixes them, with requests of forced and forbidden phrases between. Float32. Exit code 1: a text
differs by a gap of scores above 1e-4, a forced phrase is missing, or a forbidden one is there.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.serving import server  # noqa: E402
from flows.server.local_server import free_port  # noqa: E402
from seq2seq_core.artifacts import Paths  # noqa: E402
from seq2seq_core.config.settings import Settings, parse_settings  # noqa: E402
from seq2seq_core.corpus.pairs import iterate_pairs  # noqa: E402
from seq2seq_core.corpus.samples.sample_dates import write_sample_corpus  # noqa: E402
from seq2seq_core.decoding.predictor import Predictor  # noqa: E402
from seq2seq_core.recorder import NullRecorder  # noqa: E402
from seq2seq_core.registry.registration import register_bundle  # noqa: E402
from seq2seq_core.stages.evaluate import run_evaluate  # noqa: E402
from seq2seq_core.stages.export import run_export  # noqa: E402
from seq2seq_core.stages.prepare import run_prepare  # noqa: E402
from seq2seq_core.stages.tokenize import run_tokenize  # noqa: E402
from seq2seq_core.stages.train import run_train  # noqa: E402

MOST_GAP, CLIENTS, SIZES = 1e-4, 8, (1, 7, 64)
Answer = tuple[str, float]
"""A text and its score."""


def settings_of(architecture: str, steps: int, beam_size: int, paths: Paths) -> Settings:
    """The ready settings for dates, with a model that is trained for a short time; written to the workspace."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "configs" / "dates.yaml").read_text(encoding="utf-8"))
    content["corpus"]["path"] = "corpus"
    content["model"] |= {"architecture": architecture}
    content["train"] |= {"max_steps": steps, "dev_sentences": 100}
    content["evaluate"] |= {"beam_size": beam_size}
    content["runtime"] = {"device": "cpu", "progress": "plain"}
    paths.params.write_text(json.dumps(content), encoding="utf-8")
    (paths.root / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    return parse_settings(content, "benchmark")


def evaluated(settings: Settings, paths: Paths, rows: int) -> list[Answer]:
    """What the stage ``evaluate`` answers."""
    run_export(settings, paths, NullRecorder())
    run_evaluate(settings, paths, NullRecorder())
    lines = (paths.evaluation / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return [(one["hypothesis"], one["score"]) for one in map(json.loads, lines)][:rows]


def by_command(paths: Paths, sources: Sequence[str]) -> list[Answer]:
    """What ``s2s predict`` answers."""
    command = [str(Path(sys.executable).with_name("s2s")), "predict", "--json", "--workspace", str(paths.root), "--device", "cpu"]
    done = subprocess.run(command, input="".join(f"{one}\n" for one in sources), capture_output=True, text=True, check=True)
    return [(one["prediction"], one["score"]) for one in map(json.loads, done.stdout.splitlines())]


def ask(port: int, sources: Sequence[str], params: dict[str, Any]) -> list[Answer]:
    """What one request gets."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    body = json.dumps({"inputs": {"source": list(sources)}, "params": params})
    connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"status {answer.status}: {content}")
    return [(one["prediction"], one["score"]) for one in content["predictions"]]


def has_words(text: str, phrase: str) -> bool:
    """Whether a text has a phrase as whole words, as phrases count: "05" is in "1931-05-05", and not in "1905-03-01"."""
    return re.search(rf"\b{re.escape(phrase)}\b", text) is not None


def over_http(port: int, sources: Sequence[str], targets: Sequence[str], beam_size: int) -> tuple[list[Answer], int, int, int]:
    """The answers without phrases; of those with: their number, without a forced phrase, and with a forbidden one."""
    chance, jobs, place = random.Random(1), list[tuple[int, int]](), 0
    while place < len(sources):
        jobs.append((place, size := chance.choice(SIZES)))
        place += size
    plain: dict[int, Answer] = {}

    def plainly(job: tuple[int, int]) -> None:
        first, size = job
        plain.update(enumerate(ask(port, sources[first : first + size], {"beam_size": beam_size}), start=first))

    def with_phrases(row: int) -> tuple[bool, bool] | None:
        """Whether the forced phrase is missing, and whether the forbidden one is there; None: nothing was asked."""
        force, forbid = targets[row][:4], targets[row][-2:]
        if forbid in force:
            return None
        params = {"beam_size": beam_size, "force": [force], "forbid": [forbid]}
        ((text, _),) = ask(port, [sources[(row + 1) % len(sources)]], params)
        return not has_words(text, force), has_words(text, forbid)

    with ThreadPoolExecutor(CLIENTS) as clients:
        waiting = [clients.submit(plainly, job) for job in jobs]
        asked = [clients.submit(with_phrases, row) for row in range(0, len(sources), 5)]
        for one in waiting:
            one.result()
        faults = [fault for one in asked if (fault := one.result()) is not None]
    missing, there = (sum(own) for own in zip(*faults, strict=True))
    return [plain[place] for place in range(len(sources))], len(faults), missing, there


def differences(name: str, found: Sequence[Answer], expected: Sequence[Answer]) -> bool:
    """Prints how many texts differ, each with its gap; returns whether one is beyond the bar."""
    pairs = list(zip(found, expected, strict=True))
    other = [(mine, theirs) for mine, theirs in pairs if mine[0] != theirs[0]]
    largest = max((abs(mine[1] - theirs[1]) for mine, theirs in pairs if mine[0] == theirs[0]), default=0.0)
    print(f"{name}: {len(other)} of {len(pairs)} texts differ; scores of equal texts by at most {largest:.1e}", flush=True)
    for mine, theirs in other:
        print(f"  gap {theirs[1] - mine[1]:+.1e}: {mine[0]!r}, not {theirs[0]!r}", flush=True)
    return any(abs(theirs[1] - mine[1]) > MOST_GAP for mine, theirs in other)


def measure(paths: Paths, beam_size: int, architecture: str, steps: int, rows: int) -> bool:
    """Prints a line for each door at a beam size; returns whether a bar is missed."""
    settings = settings_of(architecture, steps, beam_size, paths)
    expected = evaluated(settings, paths, rows)
    pairs = list(iterate_pairs(paths.prepared_split("test")))[: len(expected)]
    sources, targets = [pair["source"] for pair in pairs], [pair["target"] for pair in pairs]
    right = sum(text == target for (text, _), target in zip(expected, targets, strict=True))
    predictor = Predictor.from_folder(paths.served)
    print(f"beam {beam_size}: {len(expected)} rows, {right} right, decoded by {predictor.engine.name}", flush=True)
    is_missed = False
    for size in SIZES:
        found = [(one.text, one.score) for one in predictor.predict(sources, predictor.options, size)]
        is_missed |= differences(f"beam {beam_size}, batches of {size}", found, expected)
    is_missed |= differences(f"beam {beam_size}, s2s predict", by_command(paths, sources), expected)
    version = register_bundle(settings, paths).receipt.version
    port = free_port()
    command = [str(Path(sys.executable).with_name("s2s")), "serve", "-m", f"models:/dates/{version}", "--port", str(port)]
    with server(command, paths, port, 2):
        found, asked, missing, there = over_http(port, sources, targets, beam_size)
    is_missed |= differences(f"beam {beam_size}, HTTP, {CLIENTS} clients, requests of {SIZES} rows", found, expected)
    print(f"beam {beam_size}, phrases: {asked} requests, {missing} without the forced phrase, {there} with the forbidden one")
    return is_missed or missing > 0 or there > 0


def main() -> None:
    """Measures, and prints a line a door."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="transformer", help="of the model (default: transformer)")
    parser.add_argument("--steps", type=int, default=300, help="updates of the training (default: 300)")
    parser.add_argument("--rows", type=int, default=500, help="test rows (default: 500)")
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 5])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(Path(folder))
        write_sample_corpus(paths.root / "corpus")
        settings = settings_of(asked.architecture, asked.steps, asked.beams[0], paths)
        for run in (run_prepare, run_tokenize, run_train):
            run(settings, paths, NullRecorder())
        missed = [measure(paths, beam_size, asked.architecture, asked.steps, asked.rows) for beam_size in asked.beams]
    sys.exit(int(any(missed)))


if __name__ == "__main__":
    main()
