from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer
from typer.testing import CliRunner, Result

from flows.dvc import remote_setup
from flows.dvc.remote_place import default_remote, open_place
from flows.server.local_server import free_port
from seq2seq_core.cli.main import app
from tests.flows.conftest import ToyWorkspace


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 server with the bucket ``team``."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=free_port(), verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "testing-for-s3")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        import boto3

        boto3.client("s3", endpoint_url=f"http://{host}:{port}").create_bucket(Bucket="team")
        yield f"http://{host}:{port}"
    server.stop()


def add(workspace: ToyWorkspace, *words: str) -> Result:
    return CliRunner().invoke(app, ["remote", "add", "store", *words, "--workspace", str(workspace.root)])


def config(workspace: ToyWorkspace) -> str:
    return (workspace.root / ".dvc" / "config").read_text(encoding="utf-8")


def test_a_store_that_answers_becomes_the_default_remote(make_workspace: Callable[..., ToyWorkspace], s3: str) -> None:
    workspace = make_workspace()
    added = add(workspace, "s3://team/dvc", "--default", "--endpoint", s3)
    assert added.exit_code == 0, added.output
    assert "s3://team/dvc: answers" in added.output
    remote = default_remote(workspace.root)
    assert remote is not None
    assert (remote.url, remote.options) == ("s3://team/dvc", {"endpointurl": s3})
    assert "testing-for-s3" not in config(workspace)
    workspace.run("dvc", "push", "-q")
    filesystem, path = open_place(remote)
    assert filesystem.ls(path)


def test_a_remote_that_cannot_work_is_not_written(make_workspace: Callable[..., ToyWorkspace], s3: str, tmp_path: Path) -> None:
    workspace = make_workspace()
    before = config(workspace)
    expected = {
        ("s3://nobody/dvc", "--endpoint", s3): "s3://nobody/dvc: no bucket nobody; make it first, or mend the address",
        (
            "s3://team/dvc",
            "--endpoint",
            "http://127.0.0.1:9",
        ): "s3://team/dvc: does not answer, or refuses: EndpointConnectionError",
        ("s3://key:secret@team/dvc",): "URL: must hold no user name, password or key, because git tracks .dvc/config",
        ("s3://team/dvc", "--endpoint", "http://me:pw@127.0.0.1:9"): "--endpoint: must hold no user name, password or key",
        (str(tmp_path / "no" / "such" / "folder"),): "make it first, or mend the address",
    }
    for words, message in expected.items():
        refused = add(workspace, *words)
        assert refused.exit_code in (1, 2), words
        assert message in refused.stderr, (words, refused.stderr)
    assert config(workspace) == before


def test_a_missing_package_is_named(make_workspace: Callable[..., ToyWorkspace], monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = make_workspace()
    monkeypatch.setattr(remote_setup, "find_spec", lambda name: None)
    assert (
        "needs the package dvc-s3, which is not installed: pip install 'seq2seq-flows[s3]'" in add(workspace, "s3://team/x").stderr
    )
    assert "pip install dvc-gs" in add(workspace, "gs://team/x").stderr


def test_what_dvc_cannot_write_is_refused_and_its_configuration_stays(
    make_workspace: Callable[..., ToyWorkspace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = make_workspace()
    (workspace.root / "store").mkdir()
    assert add(workspace, "store/dvc").exit_code == 0
    before = config(workspace)
    assert "url = ../store/dvc" in before  # relative, so that the repository can move
    there = add(workspace, "store/other")
    assert there.stderr == (
        "error: NAME: the remote store is there already, with the address ../store/dvc; take another name, change it by "
        "`dvc remote modify store url ADDRESS`, or remove it by `dvc remote remove store`\n"
    )
    at = ("--workspace", str(workspace.root))
    for name, url, message in (
        ("other", " ", "URL: must be the address of a store, such as s3://bucket/dvc or a folder, got an empty one"),
        ("other", str(tmp_path / "Köln"), "URL: must hold no letters beyond ASCII, because DVC cannot write them"),
        ("unser Lager", "store", "NAME: must be of letters a to z, digits, '.', '_' and '-', got 'unser Lager'"),
    ):
        refused = CliRunner().invoke(app, ["remote", "add", name, url, *at])
        assert (refused.exit_code, message in refused.stderr) == (2, True), refused.stderr
    # DVC empties the file before it finds out that it cannot write a value.
    monkeypatch.setattr(remote_setup, "_check_words", lambda *words: None)
    assert CliRunner().invoke(app, ["remote", "add", "other", str(tmp_path / "Köln"), *at]).exit_code == 2
    assert config(workspace) == before
