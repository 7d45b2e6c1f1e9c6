from __future__ import annotations

import pytest

from seq2seq_core.config.settings import parse_settings
from seq2seq_core.errors import ConfigError
from seq2seq_core.tracking_address import find_address_fault, has_credentials, host_and_port, without_credentials

SECRETS = ("hunter2", "hun/ter2", "hun?ter2", "hun#ter2", "hun@ter2", "hun://ter2", "hun ter2")


@pytest.mark.parametrize(
    "address",
    [
        "http://mlflow:5000", "https://mlflow.example/team", "http://[::1]:5000", "http://me:secret@mlflow", "postgresql:///mlflow",
        "postgresql+psycopg2://me:sec/ret@db:5432/mlflow", "mysql://db/mlflow", "sqlite:///mlflow.db", "sqlite:////data/ml flow.db",
        "http://proxy/path@v1", "http://proxy:8080/path@v1?by=me@x", "http://[::1]:5000/path@v1", "SQLITE:///mlflow.db",
        "databricks", "databricks://profile", "file:///data/mlruns", "/data/mlruns", "./mlruns",
    ],
)  # fmt: skip
def test_an_address_that_mlflow_knows_has_no_fault(address: str) -> None:
    assert find_address_fault(address) is None


@pytest.mark.parametrize(
    ("address", "likely", "shown"),
    [
        ("localhost:5000", "http://localhost:5000", "localhost:5000"),
        ("mlflow.example:5000/team", "http://mlflow.example:5000/team", "mlflow.example:5000/team"),
        ("[::1]:5000", "http://[::1]:5000", "[::1]:5000"),
        ("mlflow", "http://mlflow", "mlflow"),
        ("me:hunter2@mlflow:5000", "http://mlflow:5000", "mlflow:5000"),
        ("foo://me:hunter2@mlflow", "http://mlflow", "foo://mlflow"),
        ("htps://mlflow", "https://mlflow", "htps://mlflow"),
        ("http:/mlflow:5000", "http://mlflow:5000", "http:/mlflow:5000"),
        ("https:mlflow", "https://mlflow", "https:mlflow"),
        ("http//mlflow:5000", "http://mlflow:5000", "http//mlflow:5000"),
        ("postgres://me:hunter2@db/mlflow", "postgresql://db/mlflow", "postgres://db/mlflow"),
        ("mlflow.db", "sqlite:///mlflow.db", "mlflow.db"),
        ("sqlite:mlflow.db", "sqlite:///mlflow.db", "sqlite:mlflow.db"),
    ],
)
def test_an_address_without_a_known_scheme_is_refused_with_the_one_that_was_probably_meant(
    address: str, likely: str, shown: str
) -> None:
    expected = f"must begin with http://, https://, sqlite:/// or postgresql://, such as {likely}, got {shown}"
    assert find_address_fault(address) == expected
    assert find_address_fault(likely) is None


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("http://mlflow:port", "must have a port from 1 to 65535, got the port port in http://mlflow:port"),
        ("http://mlflow:70000/x", "must have a port from 1 to 65535, got the port 70000 in http://mlflow:70000/x"),
        ("http://", "must name a host, such as http://HOST:5000, got http://"),
        ("https://:5000", "must name a host, such as https://HOST:5000, got https://:5000"),
        ("http://ml flow", "must have no space, got http://ml flow"),
        ("sqlite://mlflow.db", "must be sqlite:///FILE, such as sqlite:///mlflow.db, got sqlite://mlflow.db"),
        ("sqlite:///", "must be sqlite:///FILE, such as sqlite:///mlflow.db, got sqlite:///"),
        (
            "http://me:hun/ter2@mlflow",
            "must have no /, ? or # in its user name or password (percent-encoded, / is %2F), or leave them to "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, got http://mlflow with one",
        ),
    ],
)
def test_a_malformed_address_is_refused_with_what_is_wrong(address: str, fault: str) -> None:
    assert find_address_fault(address) == fault


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "pattern", ["http://me:{}@mlflow:5000/x", "foo://me:{}@mlflow", "me:{}@mlflow", "http://me:{}@mlflow:port"]
)
def test_no_message_about_an_address_holds_its_password(secret: str, pattern: str) -> None:
    address = pattern.format(secret)
    for text in (without_credentials(address), find_address_fault(address) or ""):
        assert "hun" not in text
        assert "ter2" not in text
    assert has_credentials(address)


@pytest.mark.parametrize(("address", "shown"), [
    ("http://proxy/path@v1", "http://proxy/path@v1"),
    ("https://proxy:8080/path@v1?by=me@x", "https://proxy:8080/path@v1"),
    ("postgresql://db/ml@flow", "postgresql://db/ml@flow"),
])  # fmt: skip
def test_an_at_sign_in_the_path_or_query_is_no_password(address: str, shown: str) -> None:
    assert not has_credentials(address)
    assert without_credentials(address) == shown
    assert host_and_port(address)[0] in ("proxy", "db")
    assert parse_settings(settings_with(address), "params.yaml").runtime.tracking_uri == address


@pytest.mark.parametrize("address", ["http://me:hunter2@mlflow/path@v1", "http:///me:hunter2@mlflow", "postgresql://me:12/34@db/x"])
def test_an_at_sign_behind_credentials_shows_none_of_them(address: str) -> None:
    assert has_credentials(address)
    assert not {"hunter2", "me:", "12/34"} & {part for part in ("hunter2", "me:", "12/34") if part in without_credentials(address)}


def test_the_host_and_port_are_those_behind_the_credentials() -> None:
    assert host_and_port("http://me:1:2/3@mlflow:5000/x?y#z") == ("mlflow", 5000)
    assert host_and_port("postgresql+psycopg2://[::1]:5433/db") == ("::1", 5433)
    assert host_and_port("https://[::1]/") == ("::1", None)


@pytest.mark.parametrize(
    "address",
    [
        "http://me:hunter2@mlflow",
        "http://hunter2@mlflow",
        "postgresql://db/mlflow?password=hunter2",
        "http://mlflow?api_token=hunter2",
    ],
)
def test_a_setting_with_credentials_is_refused_and_says_where_they_belong(address: str) -> None:
    place = "postgresql://db/mlflow" if "db" in address else "http://mlflow"
    with pytest.raises(ConfigError) as caught:
        parse_settings(settings_with(address), "params.yaml")
    assert caught.value.faults == [
        "runtime.tracking_uri: must hold no user name, password or token, because params.yaml is shared: put them in "
        "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN (or the whole address in "
        f"MLFLOW_TRACKING_URI), got some for {place}"
    ]


def test_a_setting_that_is_no_address_is_a_fault_of_the_settings() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings(settings_with("localhost:5000"), "params.yaml")
    assert caught.value.faults == [
        "runtime.tracking_uri: must begin with http://, https://, sqlite:/// or postgresql://, such as http://localhost:5000, "
        "got localhost:5000"
    ]
    for address in ("", "sqlite:///runs/a@b.db", "http://mlflow:5000"):
        assert parse_settings(settings_with(address), "params.yaml").runtime.tracking_uri == address


def settings_with(address: str) -> dict[str, object]:
    corpus = {"path": "data/raw/dates", "files": {"train": ["train.tsv"]}}
    return {"corpus": corpus, "register": {"model_name": "dates"}, "runtime": {"tracking_uri": address}}
