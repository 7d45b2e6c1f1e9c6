"""``s2s predict --into`` with real workers, killed and interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from seq2seq_core.bulk.job_manifest import LOCK_NAME, MANIFEST_NAME, read_manifest
from seq2seq_core.cli.main import app
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.serving.loading import FoundModel
from tests.flows.waiting import wait_until

TEXTS = [f"{number} May {1000 + number}" for number in range(48)]
SLOW = ["--min-length", "60", "--max-length", "60"]
"""Makes the work of the tiny model last."""


@pytest.fixture
def command(bulk_model: FoundModel, tmp_path: Path) -> Callable[..., list[str]]:
    lines = [json.dumps({"source": text, "language": "de", "id": place}) + "\n" for place, text in enumerate(TEXTS)]
    (tmp_path / "in.jsonl").write_text("".join(lines) + '{"source": "a", "language": "xx"}\n{"source": null}\n')
    fixed = ["--model", str(bulk_model.folder), "--device", "cpu", "--shard-rows", "4", "--beam-size", "5", *SLOW]

    def words(folder: str, workers: int = 1) -> list[str]:
        return ["predict", str(tmp_path / "in.jsonl"), "--into", str(tmp_path / folder), "--workers", str(workers), *fixed]

    return words


def start(words: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as stream:
        return subprocess.Popen([sys.executable, "-m", "seq2seq_core.cli.main", *words], stdout=stream, stderr=stream)


def finished(folder: Path) -> int:
    found = read_manifest(folder) if (folder / MANIFEST_NAME).exists() else None
    return len(found.shards) if found else 0


@pytest.mark.proof
def test_a_killed_and_an_interrupted_job_go_on_and_end_in_the_bytes_of_an_undisturbed_one(
    command: Callable[..., list[str]], tmp_path: Path, bulk_model: FoundModel
) -> None:
    undisturbed, disturbed, log = tmp_path / "undisturbed", tmp_path / "disturbed", tmp_path / "log"
    process = start(command("disturbed", workers=2), log)
    wait_until(lambda: finished(disturbed) >= 1 or process.poll() is not None, "a first shard")
    below = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    killed_at = finished(disturbed)
    assert 1 <= killed_at < 13, log.read_text()
    assert below
    gone, alive = psutil.wait_procs(below, timeout=300)
    assert (len(gone), alive) == (2, []), "workers end with the process that started them"
    process = start(command("disturbed"), log)
    wait_until(lambda: finished(disturbed) > killed_at or process.poll() is not None, "one more shard")
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(300) == 130, log.read_text()
    assert "rows are finished in" in log.read_text()
    assert "the same command goes on with the others" in log.read_text()
    interrupted_at = finished(disturbed)
    assert killed_at < interrupted_at < 13
    for folder in ("disturbed", "undisturbed"):
        done = CliRunner().invoke(app, command(folder))
        assert done.exit_code == 0, done.output
    names = {path.name for path in undisturbed.iterdir()}
    assert names == {*(f"in-{number:05d}.jsonl" for number in range(13)), MANIFEST_NAME, LOCK_NAME}
    for name in names - {LOCK_NAME}:
        assert (disturbed / name).read_bytes() == (undisturbed / name).read_bytes()
    rows = [json.loads(line) for path in sorted(undisturbed.glob("*.jsonl")) for line in path.read_text().splitlines()]
    assert [row.get("id") for row in rows] == [*range(48), None, None]
    assert [row["prediction_error"] for row in rows[:48]] == [None] * 48
    assert rows[48]["prediction_error"].startswith("tag 'language': must be one of 'de', 'en'; got 'xx'")
    predictor = Predictor.from_folder(bulk_model.folder)
    options = predictor.options.override(beam_size=5, min_length=60, max_length=60)
    expected = predictor.predict(TEXTS, options, tags=[{"language": "de"}] * 48)
    assert [row["prediction"] for row in rows[:48]] == [one.text for one in expected]
    assert [row["prediction_score"] for row in rows[:48]] == pytest.approx([one.score for one in expected], abs=1e-5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.txt", "b.txt"], "error: b.txt: several inputs need --into FOLDER, which writes shards for each\n"),
        (["a.txt", "--shard-rows", "5"], "error: --shard-rows: needs --into FOLDER\n"),
        (["--into", "out"], "error: --into: needs files or folders as arguments, not standard input: "),
        (["a.txt", "--into", "out", "--scores"], "error: --scores: must be left out with --into, whose shards have columns\n"),
        (["a.txt", "--into", "out", "--nbest", "9"], "error: --nbest: must be at most the beam size"),
    ],
)
def test_options_that_do_not_go_together_are_named(bulk_model: FoundModel, words: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["predict", "--model", str(bulk_model.folder), *words])
    assert (done.exit_code, message in done.stderr) == (2, True), done.stderr
