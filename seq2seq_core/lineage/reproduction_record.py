"""The result of a reproduction: which stage diverged first, how far the weights are apart, and what the version says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.config_file import WEIGHTS_FILE
from seq2seq_core.config.runtime import RuntimeSection
from seq2seq_core.lineage.lineage_storage import Lineage, attach_file
from seq2seq_core.registry.bundles import download_bundle
from seq2seq_core.tokenization.manifest import file_digest
from seq2seq_core.tracking.mlflow.store import connect, store_errors
from seq2seq_core.tracking.runs.machine import describe_machine

REPRODUCED_TAG, RESULT_FILE = "reproduced", "reproduction.json"
Outcome = Literal["bit-equal", "within the tolerance", "different"]


@dataclass(frozen=True)
class Reproduction:
    """The result of a reproduction.

    Attributes:
        version: the version's name.
        outcome: of the weights.
        first_difference: the first stage with an output that differs, and that output; empty: all are the same bits.
        largest_difference: of a weight; 0 where the bits are the same, None where the shapes differ.
        tolerance: of it, where the machine is another.
        other_machine: what differs between the machines; empty: nothing.
        seconds: how long the graph ran.
        when: in UTC.
    """

    version: str
    outcome: Outcome
    first_difference: str
    largest_difference: float | None
    tolerance: float
    other_machine: dict[str, list[Any]]
    seconds: float
    when: str

    @property
    def is_reproduced(self) -> bool:
        """Whether the weights are those of the version, as exactly as the machine allows."""
        return self.outcome != "different"

    def sentence(self) -> str:
        """The result for people."""
        machine = (
            "another machine (" + ", ".join(f"{name}: {now}, was {then}" for name, (then, now) in self.other_machine.items()) + ")"
            if self.other_machine
            else "the same kind of machine"
        )
        diverged = f"; the first stage that differs: {self.first_difference}" if self.first_difference else ""
        if self.outcome == "bit-equal":
            return f"{self.version} is reproduced: the weights are bit-equal, on {machine}{diverged}"
        far = "other shapes" if self.largest_difference is None else f"largest difference {self.largest_difference:.3g}"
        verdict = "is reproduced within the tolerance" if self.is_reproduced else "is NOT reproduced"
        allowed = f"tolerance {self.tolerance:g}, which another machine is allowed"
        return f"{self.version} {verdict}: {far} ({allowed}), on {machine}{diverged}"


def judge_reproduction(
    lineage: Lineage,
    stages: Mapping[str, Mapping[str, Mapping[str, Any]]],
    copy: Paths,
    runtime: RuntimeSection,
    paths: Paths,
    tolerance: float,
    seconds: float,
) -> Reproduction:
    """Compares a reproduced model with its version.

    Args:
        lineage: of the version.
        stages: the digests of the outputs now, by stage in the order of the graph.
        copy: the workspace in which the graph ran.
        runtime: the settings that it ran with.
        paths: this workspace, whose registry has the version.
        tolerance: largest difference of a weight where the machine is another.
        seconds: how long the graph ran.

    Raises:
        BundleError: the version's bundle is damaged.
        TrackingUnreachable: MLflow does not answer.
    """
    weights = copy.served / WEIGHTS_FILE
    machine = _machine_differences(lineage.record["machine"], runtime)
    is_equal = file_digest(weights) == lineage.record["model"]["weights_sha256"]
    far = 0.0 if is_equal else largest_difference(weights, download_bundle(lineage.version, paths) / WEIGHTS_FILE)
    outcome: Outcome = "bit-equal" if is_equal else "different"
    if not is_equal and machine and far is not None and far <= tolerance:
        outcome = "within the tolerance"
    now = datetime.now(UTC).isoformat(timespec="seconds")
    difference = first_difference(lineage.record.get("stages", {}), stages)
    return Reproduction(lineage.label, outcome, difference, far, tolerance, machine, round(seconds, 1), now)


def first_difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """The first stage, in the order of the graph, with an output that differs; empty: none.

    Args:
        before: the recorded digests, by stage and path.
        after: those of the stages that ran now.
    """
    for stage, outputs in before.items():
        if stage not in after:
            continue
        for path, output in outputs.items():
            if after[stage].get(path, {}).get("sha256") != output["sha256"]:
                return f"{stage} ({path})"
    return ""


def largest_difference(one: Path, other: Path) -> float | None:
    """The largest difference between two weights of one name; None where names or shapes differ.

    Args:
        one: a safetensors file.
        other: another one.
    """
    import torch
    from safetensors.torch import load_file

    first, second = load_file(one), load_file(other)
    if {name: tensor.shape for name, tensor in first.items()} != {name: tensor.shape for name, tensor in second.items()}:
        return None
    distances = (torch.max(torch.abs(tensor.double() - second[name].double())) for name, tensor in first.items() if tensor.numel())
    return max(map(float, distances), default=0.0)


def record_reproduction(result: Reproduction, lineage: Lineage, paths: Paths) -> None:
    """Writes the result to the version: a tag, and a file of its model.

    Args:
        result: of the reproduction.
        lineage: of the version.
        paths: the workspace, whose registry is written.

    Raises:
        TrackingUnreachable: MLflow does not answer.
    """
    attach_file(lineage.version, RESULT_FILE, json.dumps(asdict(result), ensure_ascii=False, indent=1) + "\n", paths)
    client = connect(paths)
    with store_errors(paths):
        day = result.when.partition("T")[0]
        client.set_model_version_tag(lineage.version.name, str(lineage.version.version), REPRODUCED_TAG, f"{result.outcome}, {day}")


def _machine_differences(then: Mapping[str, Any], runtime: RuntimeSection) -> dict[str, list[Any]]:
    """What differs of everything that the last bits of a sum can depend on."""
    import torch  # noqa: F401 - so that the GPU is known

    now = describe_machine(runtime)
    names = ("cpu", "threads", "gpu", "python")
    found = {name: [then.get(name), now[name]] for name in names if then.get(name) != now[name]}
    packages = then.get("packages") or {}
    watched = ("torch", "numpy", "sentencepiece")
    return found | {
        name: [packages.get(name), now["packages"].get(name)] for name in watched if packages.get(name) != now["packages"].get(name)
    }
