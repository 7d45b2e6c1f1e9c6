"""Rates of a served Transformer: offline beside CTranslate2 called directly, then over HTTP with clients that come at once.

    python benchmarks/serving.py --bundle FOLDER --sources FILE
    python benchmarks/serving.py --bundle FOLDER --sources FILE --rounds 5 --clients 32 --seconds 20
    python benchmarks/serving.py --bundle FOLDER --sources FILE --offline

FOLDER is a served bundle (``models/served``) with converted weights, FILE has a source a line. Offline, the predictor and
CTranslate2 (the same weights and batches, one on each core, with SentencePiece around it) take turns. The best of all rounds
counts, by the clock and by seconds of the processor. Over HTTP, ``s2s serve`` and plain ``mlflow models serve`` answer requests of
one sentence, and requests of an empty text, which nothing decodes: their rate is what the server itself can do. ``bound`` is
1 / (1 / offline + 1 / empty), what a server that does both in turn could reach; for one client, its median time is compared
with that of a predictor that is given one sentence and that of an empty request together. ``/translate`` decodes by the
bundle's own options, and is compared with the offline rate at its beam size.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from flows.server.local_server import free_port  # noqa: E402
from seq2seq_core.artifacts import Paths  # noqa: E402
from seq2seq_core.bundle.config_file import read_config  # noqa: E402
from seq2seq_core.config.decoding_options import DecodingOptions  # noqa: E402

BATCH = 64
MODEL = "measured"
BEAMS = (1, 5)


class Turn(NamedTuple):
    """What a turn took.

    Attributes:
        clock: seconds.
        processor: seconds of the processor, of all threads.
    """

    clock: float
    processor: float


def offline_rates(bundle: Path, sources: Sequence[str], beam_size: int, rounds: int, threads: int) -> dict[str, Turn]:
    """Sentences a second of the predictor and of CTranslate2 called directly."""
    import ctranslate2
    import torch

    from seq2seq_core.decoding.predictor import Predictor

    torch.set_num_threads(threads)
    predictor = Predictor.from_folder(bundle)
    options = predictor.options.override(beam_size=beam_size)
    engine = predictor.engine_for(options)
    assert isinstance(engine.translator, ctranslate2.Translator), "the bundle has converted weights"
    source, target = predictor.bundle.source_tokenizer, predictor.bundle.target_tokenizer
    assert source is not None

    def ours() -> None:
        predictor.predict(sources, options, BATCH)

    def direct() -> None:
        ids = [[str(one) for one in [*row, 3]] for row in source.encode(list(sources))]
        found = engine.translator.translate_batch(ids, beam_size=beam_size, max_batch_size=BATCH, max_decoding_length=256)
        target.decode([[int(token) for token in one.hypotheses[0]] for one in found])

    turns = _in_turns({"ours": ours, "direct": direct}, rounds)
    return {name: Turn(*(len(sources) / min(column) for column in zip(*own, strict=True))) for name, own in turns.items()}


def alone_offline(bundle: Path, sources: Sequence[str], beam_size: int, threads: int) -> float:
    """The median time of a predictor for one sentence, in milliseconds."""
    import torch

    from seq2seq_core.decoding.predictor import Predictor

    torch.set_num_threads(threads)
    predictor = Predictor.from_folder(bundle)
    options = predictor.options.override(beam_size=beam_size)
    predictor.predict(sources[:1], options)
    times = []
    for source in sources:
        started = time.perf_counter()
        predictor.predict([source], options)
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def _in_turns(sides: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[Turn]]:
    """The turns of each side, after one that does not count."""
    turns: dict[str, list[Turn]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, act in sides.items():
            clock, processor = time.perf_counter(), time.process_time()
            act()
            if number:
                turns[name].append(Turn(time.perf_counter() - clock, time.process_time() - processor))
    return turns


def register(bundle: Path, sources: Sequence[str], paths: Paths) -> None:
    """Registers a bundle as version 1 of a model in a new workspace."""
    from seq2seq_core.config.settings import parse_settings
    from seq2seq_core.registry.registration import register_bundle
    from tests.unit.conftest import write_evaluation_of

    for folder in (paths.served, paths.bundle):
        shutil.copytree(bundle, folder)
    pairs = [{"source": source, "target": source} for source in sources[:20]]
    paths.prepared.mkdir(parents=True)
    paths.prepared_split("test").write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    write_evaluation_of(paths, pairs, None)
    content = {
        "corpus": {"path": "data/raw/none", "files": {"train": ["train.tsv"]}}, "register": {"model_name": MODEL},
        "runtime": {"device": "cpu", "progress": "plain"},
    }  # fmt: skip
    paths.params.write_text(json.dumps(content), encoding="utf-8")
    (paths.root / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    register_bundle(parse_settings(content, "benchmark"), paths)


@contextmanager
def server(command: Sequence[str], paths: Paths, port: int, threads: int) -> Iterator[None]:
    """A server for the ``with`` block."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "MLFLOW_TRACKING_URI": f"sqlite:///{paths.mlflow_database}"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    with (paths.root / "server.log").open("ab") as log:
        process = subprocess.Popen(
            list(command), cwd=paths.root, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            deadline = time.monotonic() + 180
            while not _answers(port):
                if time.monotonic() > deadline or process.poll() is not None:
                    raise RuntimeError((paths.root / "server.log").read_text()[-3000:])
                time.sleep(0.5)
            yield
        finally:
            os.killpg(process.pid, 15)
            process.wait()


def _answers(port: int) -> bool:
    try:
        return _ask(http.client.HTTPConnection("127.0.0.1", port, timeout=5), *_invocation("", 1)) == 200
    except OSError:
        return False


def _invocation(text: str, beam_size: int) -> tuple[str, str]:
    """The path and the body of a request of MLflow's form."""
    return "/invocations", json.dumps({"inputs": {"source": [text]}, "params": {"beam_size": beam_size}})


def _translation(text: str) -> tuple[str, str]:
    """The path and the body of a request of LibreTranslate's form."""
    return "/translate", json.dumps({"q": text, "source": "auto", "target": "und"})


def _ask(connection: http.client.HTTPConnection, path: str, body: str) -> int:
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def http_rates(port: int, requests: Sequence[tuple[str, str]], clients: int, seconds: float) -> dict[str, float]:
    """Answers a second, and the median and 99th percentile of their time in milliseconds.

    Args:
        port: of the server.
        requests: the path and the body of each; clients take them in turns.
        clients: number of clients, which ask one after another each.
        seconds: how long they ask.
    """
    times: list[float] = []
    refused: list[int] = []
    end = time.monotonic() + seconds

    def ask_on(first: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        place = first
        while time.monotonic() < end:
            started = time.perf_counter()
            status = _ask(connection, *requests[place % len(requests)])
            (times if status == 200 else refused).append(time.perf_counter() - started if status == 200 else status)
            place += clients
        connection.close()

    threads = [threading.Thread(target=ask_on, args=(number,)) for number in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    passed = time.perf_counter() - started
    ordered = sorted(times)
    return {
        "rate": len(times) / passed, "p50": 1000 * statistics.median(ordered), "p99": 1000 * ordered[int(0.99 * len(ordered))],
        "refused": len(refused),
    }  # fmt: skip


def main() -> None:
    """Measures, and prints a line a figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--sources", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--offline", action="store_true", help="only the predictor beside CTranslate2 called directly")
    asked = parser.parse_args()
    sources = [line.split("\t")[0] for line in asked.sources.read_text(encoding="utf-8").splitlines() if line.strip()]
    own_beam = (read_config(asked.bundle).decoding or DecodingOptions()).beam_size
    beams = sorted({*BEAMS, own_beam})
    offline: dict[int, float] = {}
    for beam_size in beams:
        rates = offline_rates(asked.bundle, sources, beam_size, asked.rounds, asked.threads)
        ours, direct = rates["ours"], rates["direct"]
        offline[beam_size] = ours.clock
        print(
            f"offline, beam {beam_size}: ours {ours.clock:.1f}/s, direct {direct.clock:.1f}/s: {ours.clock / direct.clock:.2f} x; "
            f"by the processor {ours.processor:.1f}/s, {direct.processor:.1f}/s: {ours.processor / direct.processor:.2f} x",
            flush=True,
        )
    if asked.offline:
        return
    sentence = {beam_size: alone_offline(asked.bundle, sources, beam_size, asked.threads) for beam_size in beams}
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(Path(folder))
        register(asked.bundle, sources, paths)
        port = free_port()
        reference, python = f"models:/{MODEL}/1", Path(sys.executable)
        plain = [str(python), "-m", "mlflow", "models", "serve", "-m", reference, "--env-manager", "local", "--port", str(port)]
        doors = {
            "s2s serve": [str(python.with_name("s2s")), "serve", "-m", reference, "--port", str(port)],
            "mlflow models serve": plain,
        }
        for door, command in doors.items():
            with server(command, paths, port, asked.threads):
                http_rates(port, [_invocation(source, 1) for source in sources], asked.clients, 3.0)
                empty = http_rates(port, [_invocation(" ", 1)], asked.clients, asked.seconds)
                print(f"{door}, empty requests of {asked.clients} clients: {_describe(empty)}", flush=True)
                empty_alone = http_rates(port, [_invocation(" ", 1)], 1, asked.seconds)
                print(f"{door}, empty requests of one client: {_describe(empty_alone)}", flush=True)
                for beam_size in beams:
                    bound = 1 / (1 / offline[beam_size] + 1 / empty["rate"])
                    requests = [_invocation(source, beam_size) for source in sources]
                    found = http_rates(port, requests, asked.clients, asked.seconds)
                    alone = http_rates(port, requests, 1, asked.seconds)
                    share, together = found["rate"] / bound, sentence[beam_size] + empty_alone["p50"]
                    print(
                        f"{door}, beam {beam_size}, {asked.clients} clients: {_describe(found)}; {share:.2f} x the bound",
                        flush=True,
                    )
                    print(
                        f"{door}, beam {beam_size}, one client: {_describe(alone)}; {alone['p50'] / together:.2f} x a sentence "
                        "offline and an empty request",
                        flush=True,
                    )
                if door == "s2s serve":
                    found = http_rates(port, [_translation(source) for source in sources], asked.clients, asked.seconds)
                    share = found["rate"] / offline[own_beam]
                    print(
                        f"{door}, /translate, beam {own_beam}, {asked.clients} clients: {_describe(found)}; "
                        f"{share:.2f} x the offline rate",
                        flush=True,
                    )


def _describe(found: dict[str, float]) -> str:
    return f"{found['rate']:.1f}/s, p50 {found['p50']:.0f} ms, p99 {found['p99']:.0f} ms, {found['refused']:.0f} refused"


if __name__ == "__main__":
    main()
