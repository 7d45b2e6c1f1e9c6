"""The core trains without the orchestration packages, and the command line starts light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CORE = ("modeling", "batching", "training", "decoding", "tokenization", "audio", "bundle", "evaluation.metrics")
ORCHESTRATION = ("prefect", "dvc", "mlflow", "great_expectations", "pandas", "pyarrow", "duckdb", "matplotlib", "babel")
# psutil is no part of it: where it is installed, something below sacrebleu imports it. import-linter watches our own imports.
HEAVY = (*ORCHESTRATION, "torch", "numpy", "pydantic", "sentencepiece", "sacrebleu")

PROBE = """
import importlib, pkgutil, sys
for name in sys.argv[1].split(","):
    module = importlib.import_module(name)
    if hasattr(module, "__path__"):
        for found in pkgutil.walk_packages(module.__path__, name + "."):
            importlib.import_module(found.name)
loaded = [name for name in sys.argv[2].split(",") if name in sys.modules]
sys.exit("loaded: " + ", ".join(loaded) if loaded else 0)
"""

CHECKS_OF_A_CORPUS = """
import sys
from pathlib import Path
from seq2seq_core.corpus.contracts import Contract
from seq2seq_core.corpus.expectations.expectation_checker import ExpectationChecker
from seq2seq_core.corpus.rows.contract_views import create_file_view
from seq2seq_core.corpus.rows.store_opening import open_row_store
from seq2seq_core.imports.late_modules import is_loaded
from seq2seq_core.tracking.mlflow.library_loading import prepare_environment
prepare_environment()
import mlflow
import mlflow.store.db.utils
contract = Contract("empty", "train", "error", 0.0, "rows with an empty side: none")
with open_row_store(Path(sys.argv[1]).with_name("rows"), "256 MB") as store:
    create_file_view(store, "train", ["empty"], [("c.tsv", "c.tsv:5: empty source and target"), ("d.tsv", "")])
    store.close()
    checker = ExpectationChecker(store, Path(sys.argv[1]), examples=3)
    checker.check("train", [contract], 2)
    checker.write_data_docs()
    checker.close()
unused = ("altair", "scipy.stats", "mlflow.gateway", "mlflow.genai", "numpy.f2py", "fastapi", "matplotlib", "torch")
loaded = [name for name in unused if is_loaded(name)]
assert mlflow.genai.scorers.Scorer, "what is left out is there for whoever asks"
sys.exit("loaded: " + ", ".join(loaded) if loaded else 0)
"""


def _probe(modules: list[str], forbidden: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROBE, ",".join(modules), ",".join(forbidden)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_core_imports_none_of_the_orchestration_packages() -> None:
    result = _probe([f"seq2seq_core.{name}" for name in (*CORE, "stages.train", "tracking.session")], ORCHESTRATION)
    assert result.returncode == 0, result.stderr


def test_the_command_line_starts_without_a_heavy_package() -> None:
    result = _probe(["seq2seq_core.cli.main"], HEAVY)
    assert result.returncode == 0, result.stderr


def test_a_retrain_leaves_pytorch_to_its_stages() -> None:
    before_the_server, in_the_flow = _probe(["flows.launch"], ("torch", "prefect")), _probe(["flows.retrain"], ("torch",))
    assert before_the_server.returncode == in_the_flow.returncode == 0, before_the_server.stderr + in_the_flow.stderr


def test_stages_on_the_corpus_import_no_library_of_other_stages() -> None:
    stages = [f"seq2seq_core.stages.{name}" for name in ("validate", "prepare", "tokenize")]
    result = _probe(stages, ("torch", "matplotlib", "great_expectations", "mlflow", "prefect"))
    assert result.returncode == 0, result.stderr


def test_the_libraries_of_validate_leave_out_what_they_need_for_other_work(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHECKS_OF_A_CORPUS, str(tmp_path / "docs")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "docs" / "index.html").is_file()


def test_the_probe_sees_a_forbidden_package() -> None:
    result = _probe(["yaml"], ("yaml",))
    assert result.returncode != 0
    assert "loaded: yaml" in result.stderr
