"""The stages on a sample, each as the command that ``dvc.yaml`` runs, in a workspace of their own."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from seq2seq_core.artifacts import SPLITS, Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.pairs import count_lines
from seq2seq_core.forecasts.forecast import Quantity
from seq2seq_core.forecasts.forecast_check import output_bytes
from seq2seq_core.preflight.corpus_sample import RAW, SplitSample, write_sample
from seq2seq_core.preflight.probe_result import ProbeResult
from seq2seq_core.preflight.sample_process import ProcessTime, run_process
from seq2seq_core.preflight.sample_settings import full_values, shortened
from seq2seq_core.preflight.stage_forecasts import StageMeasure
from seq2seq_core.stage_history.executions import read_execution
from seq2seq_core.stage_table import find_stage

logger = logging.getLogger(__name__)
SMALL_SHARE = 6
"""The smaller sample is that part of the larger one."""
PROBE_PARAMS, PROBE_RESULT = "params.probe.yaml", "probe.json"


@dataclass(frozen=True)
class SampleGraph:
    """A throw-away workspace.

    Attributes:
        paths: its files.
        samples: of the corpus.
    """

    paths: Paths
    samples: dict[str, SplitSample]

    @classmethod
    def make(cls, folder: Path, samples: dict[str, SplitSample], settings: Settings, workspace: Paths) -> SampleGraph:
        """The workspace with its corpus, its graph and its settings.

        Args:
            folder: is created.
            samples: of the corpus.
            settings: of the user, whose models are folders.
            workspace: of the user.
        """
        folder.mkdir(parents=True)
        values = full_values(settings, write_sample(samples, settings.corpus, workspace.root, folder))
        shutil.copyfile(workspace.root / "dvc.yaml", folder / "dvc.yaml")
        graph = cls(Paths(folder), samples)
        _write(folder / PROBE_PARAMS, values)
        _write(graph.paths.params, shortened(values))
        return graph

    def copied(self, folder: Path, test_rows: int) -> SampleGraph:
        """The same workspace, where only the first rows of test are evaluated.

        Args:
            folder: is created.
            test_rows: that are decoded.
        """
        shutil.copytree(self.paths.root, folder, symlinks=True)
        graph = SampleGraph(Paths(folder), self.samples)
        values = yaml.safe_load(graph.paths.params.read_text(encoding="utf-8"))
        values["evaluate"]["test_limit"] = test_rows
        _write(graph.paths.params, values)
        return graph

    def take_database(self, database: Path) -> None:
        """Gives the workspace an empty MLflow database; making one takes seconds.

        Args:
            database: is copied.
        """
        if database.is_file():
            shutil.copyfile(database, self.paths.mlflow_database)

    @property
    def rows(self) -> int:
        """Rows of the sample."""
        return sum(len(sample.sampled) for sample in self.samples.values())

    def run(self, stages: Sequence[str]) -> dict[str, StageMeasure]:
        """What stages cost, one after another.

        Args:
            stages: their names.

        Raises:
            UserError: one fails.
        """
        return {stage: self._measure(stage) for stage in stages}

    def _measure(self, stage: str) -> StageMeasure:
        logger.info("preflight: %s on %d rows", stage, self.rows)
        root = str(self.paths.root)
        command = ["-m", "seq2seq_core.cli.main", find_stage(stage).command_name, "--workspace", root]
        seconds, cpu_seconds = run_process(command, self.paths.root / f"{stage}.log", stage)
        last = read_execution(stage, self.paths)
        own, cpu, peak = (last.seconds, last.cpu_seconds, last.peak_bytes) if last is not None else (seconds, cpu_seconds, 0)
        figures: dict[Quantity, float] = {
            "seconds": own,
            "cpu_seconds": cpu,
            "peak_bytes": float(peak),
            "output_bytes": float(output_bytes(stage, self.paths)),
        }
        return StageMeasure(self.rows, figures, ProcessTime(max(0.0, seconds - own), max(0.0, cpu_seconds - cpu)))

    def probe(self, seconds: float, memory_limit: int) -> ProbeResult:
        """What updates of the model cost.

        Args:
            seconds: for them.
            memory_limit: what the process may use, in bytes.

        Raises:
            UserError: an update fails.
        """
        logger.info("preflight: updates of the model, for about %.0f s", seconds)
        root = self.paths.root
        arguments = [str(root), str(root / PROBE_PARAMS), str(root / PROBE_RESULT), str(seconds), str(memory_limit)]
        run_process(["-m", "seq2seq_core.preflight.update_probe", *arguments], root / "probe.log", "train")
        return ProbeResult.model_validate_json((root / PROBE_RESULT).read_text(encoding="utf-8"))

    def prepared_rows(self) -> dict[str, int]:
        """Pairs of the prepared splits."""
        return {split: count_lines(self.paths.prepared_split(split)) for split in SPLITS}

    def size_beside(self, stages: Sequence[str]) -> int:
        """Bytes of the workspace without the corpus and the outputs of stages: databases, records, states.

        Args:
            stages: whose outputs are left out.
        """
        root = self.paths.root
        others = [RAW, PROBE_PARAMS, PROBE_RESULT]
        every = sum(
            file.stat().st_size for file in root.rglob("*") if file.is_file() and file.relative_to(root).parts[0] not in others
        )
        return max(0, every - sum(output_bytes(stage, self.paths) for stage in stages))


def _write(path: Path, values: Any) -> None:
    path.write_text(yaml.safe_dump(values, allow_unicode=True, sort_keys=False), encoding="utf-8")
