from __future__ import annotations

import importlib
import logging
import re
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from flows.server.deployment_setup import setup_prefect, wait_for_server
from flows.server.local_server import free_port
from flows.server.run_names import artifact_key, workspace_model
from seq2seq_core.config.runtime import FlowSettings
from seq2seq_core.config.settings import parse_settings
from seq2seq_core.errors import EnvironmentFault, UserError

from .conftest import PARAMS

REPOSITORY = Path(__file__).parents[2]
PREFECT = str(Path(sys.executable).with_name("prefect"))


def settings(**flow: Any) -> Any:
    return parse_settings({**PARAMS, "runtime": {"flow": flow}}, "params.yaml")


def test_setting_up_a_server_twice_changes_nothing_the_second_time(prefect_api: str) -> None:
    from prefect.client.orchestration import get_client

    pool, tag = f"pool-{uuid.uuid4().hex[:8]}", f"tag-{uuid.uuid4().hex[:8]}"
    wanted = settings(work_pool=pool, concurrency_limits={tag: 2})
    assert setup_prefect(wanted)[:2] == [f"work pool {pool}: created", f"tag {tag}: limit 2 created"]
    assert setup_prefect(wanted)[:2] == [f"work pool {pool}: there already", f"tag {tag}: limit 2 there already"]
    fewer = settings(work_pool=pool, concurrency_limits={tag: 1})
    assert setup_prefect(fewer)[:2] == [f"work pool {pool}: there already", f"tag {tag}: limit changed from 2 to 1"]
    with get_client(sync_client=True) as client:
        assert client.read_work_pool(pool).type == "process"
        assert client.read_concurrency_limit_by_tag(tag).concurrency_limit == 1


def test_a_pool_of_another_type_is_refused(prefect_api: str) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate

    pool = f"pool-{uuid.uuid4().hex[:8]}"
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=pool, type="docker"))
    with pytest.raises(UserError) as caught:
        setup_prefect(settings(work_pool=pool))
    assert str(caught.value) == f"runtime.flow.work_pool: must be a pool of type process, got '{pool}', which is of type docker"


def test_without_a_server_setting_up_says_how_to_get_one(prefect_api: str) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: None}), pytest.raises(UserError) as caught:
        setup_prefect(settings())
    assert str(caught.value) == (
        "no Prefect server is configured; start one with `prefect server start`, then set its address: "
        "`export PREFECT_API_URL=http://127.0.0.1:4200/api`"
    )
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}), pytest.raises(EnvironmentFault) as away:
        setup_prefect(settings(), start_seconds=0.0)
    assert str(away.value).startswith("the Prefect server at http://127.0.0.1:9/api does not answer: ConnectError: ")


def test_a_server_that_is_starting_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    def answer_once() -> None:
        with HTTPServer(("127.0.0.1", port), Health) as server:
            server.handle_request()

    timer = threading.Timer(1.0, answer_once)
    timer.start()
    with caplog.at_level(logging.INFO):
        wait_for_server(f"http://127.0.0.1:{port}/api", 60.0)
    timer.join()
    assert f"for the Prefect server at http://127.0.0.1:{port}/api to start" in caplog.text


def test_a_host_that_nobody_knows_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), pytest.raises(httpx.ConnectError):
        wait_for_server("http://nobody.invalid:4200/api", 3600.0)
    assert "to start" not in caplog.text


def test_the_deployments_name_the_default_pool_and_an_entry_point_that_imports() -> None:
    declared = yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())
    flows = {deployment["name"]: deployment["entrypoint"].rpartition(":")[2] for deployment in declared["deployments"]}
    names = [f"{{{{ workspace.model }}}}-{cause}" for cause in ("nightly", "on-demand", "sweep", "score")]
    assert flows == dict(zip(names, ("retrain", "retrain", "sweep", "score"), strict=True))
    for deployment in declared["deployments"]:
        path, _, name = deployment["entrypoint"].partition(":")
        assert (REPOSITORY / path).is_file()
        assert getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), name).name == name
        assert deployment["work_pool"]["name"] == FlowSettings().work_pool


@pytest.mark.parametrize("name", ["Dates", "dates.v2", "dates_v2", "数字", "-dates-"])
def test_the_key_of_an_artifact_is_valid_and_differs_from_that_of_a_similar_name(name: str) -> None:
    key = artifact_key(name, "retrain-report")
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*-retrain-report", key)
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    assert key != artifact_key(plain, "retrain-report")


def test_a_plain_name_begins_its_keys_as_it_is() -> None:
    assert artifact_key("dates", "retrain-report") == "dates-retrain-report"


def test_a_workspace_without_a_readable_name_goes_by_its_folder(tmp_path: Path) -> None:
    assert workspace_model(tmp_path) == tmp_path.name
    (tmp_path / "params.yaml").write_text("register: []\n")
    assert workspace_model(tmp_path) == tmp_path.name
    (tmp_path / "params.yaml").write_text("register: {model_name: dates}\nunknown: 1\n")
    assert workspace_model(tmp_path) == "dates"
