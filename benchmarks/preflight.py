"""How well `s2s preflight` foretells: six ready settings on published corpora, each forecast beside the run that follows.

    python benchmarks/preflight.py CORPORA                     all six, with trainings cut to 200 updates
    python benchmarks/preflight.py CORPORA --only scan --steps 100
    python benchmarks/preflight.py CORPORA --rows 6000 --json result.json

CORPORA is the folder of the corpora. For each settings file a workspace is made in a temporary folder, `s2s preflight` measures,
and then every stage runs as `dvc.yaml` says, one by one. Compared are processor time of an update (validations included), the
time of the whole graph (within the interval up to max_steps or not) and its processor time, which other work on the machine changes
less, the memory of train, and the growth of the disk (outputs, records and states; no DVC cache, as no DVC runs here).
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.ready_settings import read_ready_document
from seq2seq_core.config.yaml_text import write_document
from seq2seq_core.forecasts.forecast import read_forecast
from seq2seq_core.forecasts.forecast_check import read_checks
from seq2seq_core.stage_history.executions import read_execution
from seq2seq_core.stage_table import STAGES

ROOT = Path(__file__).resolve().parents[1]
CASES = {
    "scan": "scan_simple",
    "eutrans_es_en": "eutrans_es_en",
    "g2p": "g2p2020_kor",
    "small_parallel_enja": "small_parallel_enja",
    "cogs": "cogs",
    "multi30k_en_de": "multi30k_en_de_raw",
}
KINDS = ("update", "graph", "cpu", "memory", "disk")
WITHIN_UPDATE, WITHIN_MEMORY, WITHIN_DISK = 0.25, 0.2, 0.1


@dataclass(frozen=True)
class Comparison:
    """A forecast beside its run; times in seconds, sizes in bytes."""

    settings: str
    preflight_seconds: float
    update_foretold: float
    update_actual: float
    graph_low: float
    graph_mid: float
    graph_high: float
    graph_actual: float
    cpu_low: float
    cpu_high: float
    cpu_actual: float
    memory_foretold: float
    memory_actual: float
    disk_foretold: float
    disk_actual: float
    stages: dict[str, dict[str, list[float]]]
    """Of each stage and quantity: least, expected and most that was foretold, and what it took."""

    @property
    def verdicts(self) -> dict[str, bool]:
        """Which forecasts hold."""
        return {
            "update": abs(self.update_foretold / self.update_actual - 1) <= WITHIN_UPDATE,
            "graph": self.graph_low <= self.graph_actual <= self.graph_high,
            "cpu": self.cpu_low <= self.cpu_actual <= self.cpu_high,
            "memory": abs(self.memory_foretold / self.memory_actual - 1) <= WITHIN_MEMORY,
            "disk": abs(self.disk_foretold / self.disk_actual - 1) <= WITHIN_DISK,
        }


def main() -> None:
    """Runs the comparisons and prints a table; exit code 1 where fewer than five of six hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path, help="folder of the corpora")
    parser.add_argument("--only", action="append", choices=sorted(CASES), help="a settings file; may be repeated")
    parser.add_argument("--steps", type=int, default=200, help="updates of each training")
    parser.add_argument("--rows", type=int, default=12_000, help="rows of the sample")
    parser.add_argument("--json", type=Path, help="writes the figures to this file")
    arguments = parser.parse_args()
    found = []
    for name in arguments.only or CASES:
        with tempfile.TemporaryDirectory() as folder:
            found.append(compare(name, arguments.corpora / CASES[name], Path(folder), arguments.steps, arguments.rows))
        print(describe(found[-1]), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n", encoding="utf-8")
    for kind in KINDS:
        print(f"{kind}: {sum(one.verdicts[kind] for one in found)} of {len(found)} hold")
    sys.exit(any(sum(one.verdicts[kind] for one in found) < len(found) * 5 / 6 for kind in KINDS))


def compare(name: str, corpus: Path, folder: Path, steps: int, rows: int) -> Comparison:
    """The forecast and the run of one settings file.

    Args:
        name: of the file in `configs/`.
        corpus: its folder.
        folder: an empty one.
        steps: updates of the training.
        rows: of the sample.
    """
    paths = Paths(folder)
    shutil.copyfile(ROOT / "dvc.yaml", folder / "dvc.yaml")
    document = read_ready_document(ROOT / "configs" / f"{name}.yaml", paths, corpus.resolve(), None)
    for section in ("validate", "prepare", "evaluate", "runtime"):
        document.setdefault(section, {})
    shorten(document["train"], steps)
    paths.params.write_text(write_document(document), encoding="utf-8")
    started = time.monotonic()
    s2s(paths, "preflight", "--rows", str(rows))
    preflight_seconds = time.monotonic() - started
    forecast = read_forecast(paths)
    assert forecast is not None
    before = size_of(folder)
    started = time.monotonic()
    for stage in STAGES:
        s2s(paths, stage.command_name)
    seconds = time.monotonic() - started
    train, run = forecast.find("train"), read_execution("train", paths)
    assert train is not None
    assert run is not None
    made = int(json.loads(paths.train_report.read_text(encoding="utf-8"))["steps"])
    fixed, cost = train.fixed_cpu_seconds.mid, train.training_cost(made, "cpu_seconds").mid
    outputs = sum(stage.output_bytes.mid for stage in forecast.stages)
    return Comparison(
        name,
        preflight_seconds,
        (cost - fixed) / made,
        max(run.cpu_seconds - fixed, 0.0) / made,
        forecast.seconds.low,
        forecast.seconds.mid,
        forecast.seconds.high,
        seconds,
        forecast.cpu_seconds.low,
        forecast.cpu_seconds.high,
        sum(one.cpu_seconds for stage in STAGES if (one := read_execution(stage.name, paths)) is not None),
        train.peak_bytes.mid,
        float(run.peak_bytes),
        forecast.disk_bytes.mid - outputs,
        float(size_of(folder) - before),
        {
            check.stage: {name: [one.low, one.mid, one.high, check.actual[name]] for name, one in check.foretold.items()}
            for check in read_checks(paths)
        },
    )


def shorten(section: Any, steps: int) -> None:
    """Cuts a training, phases included, to some updates; it validates as often as its settings say, and at least once."""
    for phase in (section, *section.get("phases", [])):
        phase["max_steps"], phase["validate_every_steps"] = steps, min(int(phase.get("validate_every_steps", steps)), steps)
        phase["warmup_steps"] = min(int(phase.get("warmup_steps", steps // 4)), steps // 4)


def s2s(paths: Paths, *words: str) -> None:
    """Runs a command of the workspace.

    Raises:
        SystemExit: it fails.
    """
    command = [sys.executable, "-m", "seq2seq_core.cli.main", *words, "--workspace", str(paths.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"s2s {words[0]}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")


def size_of(folder: Path) -> int:
    """Bytes of the files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def describe(one: Comparison) -> str:
    """A line for each figure."""
    marks = {kind: "holds" if holds else "MISSED" for kind, holds in one.verdicts.items()}
    return (
        f"{one.settings} (preflight {one.preflight_seconds:.0f} s)\n"
        f"  update: {one.update_foretold:.4g} s of CPU foretold, {one.update_actual:.4g} taken: {marks['update']}\n"
        f"  graph:  {one.graph_low:.0f} to {one.graph_high:.0f} s (most likely {one.graph_mid:.0f}), {one.graph_actual:.0f} taken: "
        f"{marks['graph']}\n"
        f"  cpu:    {one.cpu_low:.0f} to {one.cpu_high:.0f} s foretold for all stages, {one.cpu_actual:.0f} taken: {marks['cpu']}\n"
        f"  memory: {one.memory_foretold / 1e6:.0f} MB foretold, {one.memory_actual / 1e6:.0f} used: {marks['memory']}\n"
        f"  disk:   {one.disk_foretold / 1e6:.1f} MB foretold, {one.disk_actual / 1e6:.1f} used: {marks['disk']}"
    )


if __name__ == "__main__":
    main()
