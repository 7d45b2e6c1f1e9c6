"""Names of MLflow, Prefect, Great Expectations and PyTorch that no release promises to keep, and what to use once one is gone."""

from __future__ import annotations

import ast
import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from seq2seq_core.tracking.mlflow.store import quiet_imports

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("mlflow", "prefect", "great_expectations", "torch")
PROMISED = {
    "great_expectations",
    "mlflow", "mlflow.artifacts", "mlflow.entities", "mlflow.entities.model_registry", "mlflow.exceptions", "mlflow.models",
    "mlflow.pyfunc", "mlflow.types", "mlflow.types.schema",
    "prefect", "prefect.artifacts", "prefect.blocks.webhook", "prefect.cache_policies", "prefect.client.orchestration",
    "prefect.client.schemas.actions", "prefect.client.schemas.filters", "prefect.client.schemas.objects",
    "prefect.client.schemas.sorting", "prefect.context", "prefect.deployments", "prefect.events", "prefect.events.actions",
    "prefect.events.schemas.automations", "prefect.events.schemas.events",
    "prefect.exceptions", "prefect.futures", "prefect.logging", "prefect.runtime",
    "prefect.settings",
    "prefect.states", "prefect.task_runners", "prefect.workers.process",
    "torch", "torch.distributed", "torch.nn", "torch.nn.functional", "torch.nn.utils.rnn", "torch.overrides", "torch.profiler",
    "torch.utils.checkpoint",
}  # fmt: skip
"""Modules of the libraries' own documentation; other names need a line in the table."""

INSTEAD: dict[str, str] = {
    # MLflow
    "mlflow.models.model:MLMODEL_FILE_NAME": "the name `MLmodel`, which the format of a logged model promises",
    "mlflow.models.model:ModelInfo": "what `mlflow.models.Model.log` returns; only a type here",
    "mlflow.protos.databricks_pb2:INTERNAL_ERROR": "the text of the same name as `error_code` of MlflowException",
    "mlflow.protos.databricks_pb2:INVALID_PARAMETER_VALUE": "MlflowException.invalid_parameter_value(message)",
    "mlflow.protos.databricks_pb2:INVALID_STATE": "the text of the same name as `error_code` of MlflowException",
    "mlflow.protos.databricks_pb2:TEMPORARILY_UNAVAILABLE": "the text of the same name as `error_code` of MlflowException",
    "mlflow.pyfunc:scoring_server.init": "`mlflow models serve` in a process, or an application of our own for /invocations",
    "mlflow.pyfunc.model:PythonModel": "mlflow.pyfunc.PythonModel",
    "mlflow.pyfunc.model:PythonModelContext": "mlflow.pyfunc.PythonModelContext",
    "mlflow.store.db:utils.MAX_RETRY_COUNT": "patience of our own around the first connection to a database",
    "mlflow.system_metrics.metrics.cpu_monitor:CPUMonitor": "psutil, as `mlflow.system_metrics` reads it",
    "mlflow.system_metrics.metrics.disk_monitor:DiskMonitor": "psutil.disk_io_counters",
    "mlflow.system_metrics.metrics.gpu_monitor:GPUMonitor": "pynvml",
    "mlflow.system_metrics.metrics.network_monitor:NetworkMonitor": "psutil.net_io_counters",
    "mlflow.utils:credentials.get_default_host_creds": "requests with MLFLOW_TRACKING_USERNAME, _PASSWORD and _TOKEN",
    "mlflow.utils:rest_utils.http_request": "requests.get of the server's /health and /version",
    # Prefect
    "prefect.client.base:PrefectHttpxAsyncClient.send": "event hooks of httpx for the client, to hide secrets in what is sent",
    "prefect.client.base:PrefectHttpxSyncClient.send": "event hooks of httpx for the client, to hide secrets in what is sent",
    "prefect.deployments.steps:git_clone": "the pull step of that name in Prefect's documentation of prefect.yaml",
    "prefect.deployments.steps:run_shell_script": "the pull step of that name in Prefect's documentation of prefect.yaml",
    "prefect.deployments.steps:set_working_directory": "the pull step of that name in Prefect's documentation of prefect.yaml",
    "prefect.events.clients:EventsClient.emit": "redaction before `emit_event`, and of Prefect's own events on the server",
    "prefect.events.related:tags_as_related_resources": "resources prefect.tag.NAME in the role `tag`",
    "prefect.events.worker:EventsWorker._handle": "a client of our own for events, which drops what no server can take",
    "prefect.events.worker:EventsWorker.drain_all": "a wait of a second before the embedded server ends",
    "prefect.flow_engine:run_flow": "nothing: it is imported early to save time",
    "prefect.logging.handlers:APILogHandler": "a wait of a second before the embedded server ends",
    "prefect.server.api.server:create_app": "`prefect server start` in a process, a second slower",
    "prefect.utilities.urls:url_for": "PREFECT_UI_URL and the path /runs/flow-run/ID",
    # Great Expectations
    "great_expectations.compatibility.pydantic:ValidationError": "pydantic.v1.ValidationError, or pydantic's",
    "great_expectations.data_context.types.base:DataContextConfig": "gx.get_context(mode='ephemeral') with its own stores",
    "great_expectations.data_context.types.base:InMemoryStoreBackendDefaults": "gx.get_context(mode='ephemeral')",
    "great_expectations.data_context.types.base:ProgressBarsConfig": "gx.get_context().variables.progress_bars",
    "great_expectations.datasource.fluent.sql_datasource:SQLDatasource._create_engine": "add_sql with the address of duckdb-engine",
    "great_expectations.execution_engine.sqlalchemy_execution_engine:SqlAlchemyExecutionEngine.execute_query": "a frame of pandas",
    "great_expectations.expectations.registry:get_expectation_impl": "a class of gx.expectations by its name",
    "great_expectations.expectations.registry:list_registered_expectation_implementations": "the classes of gx.expectations",
    # PyTorch
    "torch:Tensor._version": "a copy of the weight to compare with",
    "torch.cpu:_is_vnni_supported": "`avx512_vnni` or `avx_vnni` among the flags of /proc/cpuinfo",
    "torch.ops:mkldnn._linear_pointwise": "torch.nn.functional.linear, which packs the weight each time",
    "torch.ops:mkldnn._reorder_linear_weight": "torch.nn.functional.linear, which packs the weight each time",
}
"""Half-private names that this project uses, as ``MODULE:NAME``, and what to use instead."""

READ = ("prefect.server.api.server:create_app",)
"""Names that are looked up in the source: importing the server takes four seconds."""


@pytest.mark.parametrize("name", INSTEAD)
def test_a_half_private_name_is_there_or_the_test_says_what_to_use_instead(name: str) -> None:
    module, _, path = name.partition(":")
    if name in READ:
        spec = importlib.util.find_spec(module)
        source = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
        assert f"def {path}(" in source, f"{name} is gone; use instead: {INSTEAD[name]}"
        return
    try:
        with quiet_imports():
            found: object = importlib.import_module(module) if module != "torch.ops" else importlib.import_module("torch").ops
        for part in path.split("."):
            found = getattr(found, part) if hasattr(found, part) else importlib.import_module(f"{module}.{part}")
    except (ImportError, AttributeError) as error:
        pytest.fail(f"{name} is gone ({error}); use instead: {INSTEAD[name]}")


def test_the_table_has_every_half_private_name_that_is_imported_and_no_other_module() -> None:
    imported = {(module, name) for path in _modules() for module, name in _imports(path)}
    half_private = {f"{module}:{name}" for module, name in imported if module not in PROMISED}
    listed = {f"{module}:{path.split('.')[0]}" for module, _, path in (name.partition(":") for name in INSTEAD)}
    assert half_private - listed == set()
    texts = "".join(path.read_text(encoding="utf-8") for path in _modules())
    texts += "".join((ROOT / name).read_text(encoding="utf-8") for name in ("prefect.yaml", "deploy/prefect.yaml"))
    unused = {name for name in INSTEAD if name.rpartition(".")[2].rpartition(":")[2] not in texts}
    assert unused - {"prefect.flow_engine:run_flow"} == set()  # the module is imported, for its time


def _modules() -> list[Path]:
    return sorted(path for folder in ("seq2seq_core", "flows") for path in (ROOT / folder).rglob("*.py"))


def _imports(path: Path) -> Iterator[tuple[str, str]]:
    """The names that a module imports from the libraries."""
    text = path.read_text(encoding="utf-8")
    if not any(f"from {library}" in text for library in LIBRARIES):
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").partition(".")[0] in LIBRARIES:
            yield from ((node.module or "", alias.name) for alias in node.names)
