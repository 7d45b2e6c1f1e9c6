"""The build step of ``prefect.yaml``: the names of a workspace's deployments, unless they belong to another workspace."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from flows.server.run_names import model_tag
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import load_settings
from seq2seq_core.errors import Seq2SeqError, UserError

FLOWS = ("retrain", "sweep", "score")
TAKE_OVER_VARIABLE = "S2S_TAKE_OVER_DEPLOYMENTS"
"""Set to 1 for a deliberate change of the workspace, such as after a move."""
PAGE_SIZE = 200
"""The most that Prefect gives in one answer, by default."""
PULL_STEP = "prefect.deployments.steps.set_working_directory"
Item = TypeVar("Item")


@dataclass(frozen=True)
class Deployed:
    """A deployment on the server.

    Attributes:
        name: ``FLOW/NAME``, as Prefect's commands take it.
        folder: the folder that its runs work in; None where no step sets it.
        tags: its tags.
    """

    name: str
    folder: Path | None
    tags: tuple[str, ...]


@cache
def workspace_names() -> dict[str, str | list[str]]:
    """The values that ``prefect.yaml`` names deployments by: ``folder``, ``model`` and ``tags``.

    ``prefect deploy`` calls it in the workspace, once for each deployment. A user's fault ends the command with a message alone.
    """
    try:
        names, notes = claim_names(Path.cwd(), may_take_over=os.environ.get(TAKE_OVER_VARIABLE) == "1")
    except Seq2SeqError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(error.exit_code) from None
    sys.stderr.writelines(f"note: {note}\n" for note in notes)
    return names


def claim_names(root: Path, may_take_over: bool = False) -> tuple[dict[str, str | list[str]], list[str]]:
    """The values for the names of a workspace's deployments, and notes about its deployments under other names.

    Args:
        root: the workspace.
        may_take_over: whether deployments of another workspace may be replaced.

    Raises:
        UserError: another workspace has deployments of a model of this name.
        ConfigError: the settings have faults.
    """
    root = root.resolve()
    model_name = load_settings(Paths(root).params).register_.model_name
    tag, deployed = model_tag(model_name), _read_deployed()
    for other in deployed:
        if tag in other.tags and other.folder not in (None, root) and not may_take_over:
            raise UserError(
                f"register.model_name: must be a name that no other workspace deploys on this server, got {model_name!r}, whose "
                f"deployment {other.name} works in {other.folder}; give this model another name, or, if the workspace has moved, "
                f"set {TAKE_OVER_VARIABLE}=1 and deploy again"
            )
    notes = [
        f"{other.name} works in this folder too, under another name; `prefect deployment delete {other.name}` ends it"
        for other in deployed
        if other.folder == root and tag not in other.tags
    ]
    return {"folder": str(root), "model": model_name, "tags": [tag]}, notes


def _read_deployed() -> list[Deployed]:
    """The deployments of this project's flows on the server, by name."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowFilter

    of_flow = [FlowFilter.model_validate({"name": {"any_": [flow]}}) for flow in FLOWS]
    with get_client(sync_client=True) as client:
        found = [
            Deployed(f"{flow}/{deployment.name}", _folder(deployment.pull_steps or []), tuple(deployment.tags))
            for flow, wanted in zip(FLOWS, of_flow, strict=True)
            for deployment in _read_pages(partial(client.read_deployments, flow_filter=wanted))
        ]
    return sorted(found, key=lambda deployed: deployed.name)


def _read_pages(read: Callable[..., list[Item]]) -> Iterator[Item]:
    """Everything that a request with ``limit`` and ``offset`` gives, page by page."""
    offset = 0
    while page := read(limit=PAGE_SIZE, offset=offset):
        yield from page
        offset += len(page)


def _folder(steps: list[dict[str, Any]]) -> Path | None:
    """The folder that a deployment's pull steps set."""
    return next((Path(str(step[PULL_STEP]["directory"])) for step in steps if PULL_STEP in step), None)
