"""The flow's side of a stage on a work pool: what must hold, what it hands over, and what it takes back."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from flows.dvc.git_command import GitRefused, git
from flows.dvc.publish import uncommitted_files
from flows.graph.stage_graph import StageGraph
from flows.machines.stage_order import StageAnswer, StageOrder
from flows.server.environment import EMBEDDED_VARIABLE
from seq2seq_core import atomic
from seq2seq_core.artifacts import LOCK_FILE, PARAMS_FILE, Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.config.yaml_text import parse_document, write_document
from seq2seq_core.dvc_files import join_stage
from seq2seq_core.errors import UserError
from seq2seq_core.redaction.redactor import redact
from seq2seq_core.stage_table import CODE
from seq2seq_core.tracking_address import without_credentials

CODE_FOLDERS = ("seq2seq_core", "flows")
PLACE = "runtime.flow.stages.{stage}.pool"


@dataclass(frozen=True)
class Handover:
    """What all orders of one run have in common.

    Attributes:
        paths: the workspace of the flow.
        graph: its stages.
        repository: address from which a worker clones.
        commit: the commit that it checks out.
        folder: the workspace in the repository; empty: its top.
        run_id: the id of the flow run.
    """

    paths: Paths
    graph: StageGraph
    repository: str
    commit: str
    folder: str
    run_id: str

    def order(self, stage: str, why: str, is_forced: bool) -> StageOrder:
        """The order for one stage, with the workspace's files as they are now.

        Args:
            stage: its name; its upstream stages are done.
            why: the reason why it may have to run.
            is_forced: whether it runs even where it is up to date.

        Raises:
            UserError: ``params.yaml`` holds a secret, which the Prefect server would store.
        """
        root = self.paths.root
        return StageOrder(
            stage=stage,
            why=why,
            is_forced=is_forced,
            repository=self.repository,
            commit=self.commit,
            folder=self.folder,
            inputs=list(self.graph.inputs.get(stage, ())),
            params=_params_to_send(self.paths),
            lock=_read(root / LOCK_FILE),
            sources={name: _read(root / name) for name in self.graph.sources},
            graph_run=self.run_id,
            parent_run=self.run_id,
        )

    def take_back(self, stage: str, answer: StageAnswer) -> None:
        """Joins a stage's part into ``dvc.lock`` and writes the small files that came with it.

        The caller holds DVC's lock.

        Args:
            stage: the stage's name.
            answer: of a stage that succeeded.

        Raises:
            UserError: the answer names a file outside of the workspace; nothing is written.
        """
        lock = self.paths.root / LOCK_FILE
        texts = {inside(self.paths.root, name): text for name, text in answer.files.items()}
        for place, text in {lock: join_stage(_read(lock), stage, answer.entry), **texts}.items():
            atomic.write_text(place, text)


def pooled_stages(graph: StageGraph, settings: Settings) -> frozenset[str]:
    """The stages that run on work pools.

    Args:
        graph: the stages.
        settings: ``runtime.flow`` has their policies.

    Raises:
        UserError: the stage ``code`` is among them, which must see the code of this machine.
    """
    pooled = frozenset(stage for stage in graph.stages if settings.runtime.flow.policy(stage).pool)
    if CODE.name in pooled:
        raise UserError(
            f"{PLACE.format(stage=CODE.name)}: must be empty, because this stage compares the code here with that of the last run"
        )
    return pooled


def prepare_handover(paths: Paths, graph: StageGraph, settings: Settings, stages: Collection[str], run_id: str) -> Handover:
    """Checks that stages can run on other machines, and finds what all orders have in common.

    Args:
        paths: the workspace.
        graph: its stages.
        settings: ``runtime.flow.pools`` names the repository.
        stages: the stages on work pools that may have to run; none: nothing is checked.
        run_id: the id of the flow run.

    Raises:
        UserError: the Prefect server is embedded, so that no worker can reach it; the code has changes that are not committed; or
            there is no address to clone from.
    """
    if not stages:
        return Handover(paths, graph, "", "", "", run_id)
    place = PLACE.format(stage=min(stages))
    if EMBEDDED_VARIABLE in os.environ:
        raise UserError(
            f"{place}: needs a Prefect server that workers reach; set its address in PREFECT_API_URL, or leave the pool empty"
        )
    root = paths.root
    try:
        commit, folder = git(root, "rev-parse", "HEAD"), git(root, "rev-parse", "--show-prefix")
        if changed := _changed_code(root, graph):
            raise UserError(
                f"{place}: a worker runs commit {commit[:10]}, and these files differ: {', '.join(changed)}; commit and push them"
            )
        repository = settings.runtime.flow.pools.repository or git(root, "remote", "get-url", "origin")
    except GitRefused as refused:
        raise UserError(
            f"{place}: needs a git commit and an address to clone it from, the remote `origin` or runtime.flow.pools.repository "
            f"({refused})"
        ) from None
    return Handover(paths, graph, _shareable(repository), commit, folder.rstrip("/"), run_id)


def inside(root: Path, name: str) -> Path:
    """The place of a file of the workspace that a worker's answer names.

    Args:
        root: the workspace.
        name: the file, from there.

    Raises:
        UserError: it lies outside of the workspace.
    """
    place = (root / name).resolve()
    if not place.is_relative_to(root.resolve()):
        raise UserError(f"{name}: a worker's answer names a file outside of the workspace")
    return place


def _changed_code(root: Path, graph: StageGraph) -> list[str]:
    """The files that a clone of HEAD would lack, without those that travel with an order."""
    changed = [name for name in uncommitted_files(root, graph.sources) if name != PARAMS_FILE]
    return changed + git(root, "ls-files", "--others", "--exclude-standard", "--", *CODE_FOLDERS).splitlines()


def _shareable(repository: str) -> str:
    """The address without a password: workers have their own credentials."""
    return without_credentials(repository) if repository.startswith(("http://", "https://")) else repository


def _params_to_send(paths: Paths) -> str:
    """The text of ``params.yaml`` without the section that only the flow reads and that may name a secret address."""
    document = parse_document(_read(paths.params))
    runtime = document.get("runtime")
    flow = runtime.get("flow") if isinstance(runtime, Mapping) else None
    if isinstance(flow, Mapping):
        document["runtime"]["flow"].pop("notify", None)
    text = write_document(document)
    if redact(text) != text:
        raise UserError(
            "params.yaml: holds a secret, which the Prefect server would store with the order for a work pool; put it into an "
            "environment variable of the worker"
        )
    return text


def _read(path: Path) -> str:
    """The content of a file, line ends unchanged; empty where there is none."""
    return path.read_bytes().decode("utf-8") if path.is_file() else ""
