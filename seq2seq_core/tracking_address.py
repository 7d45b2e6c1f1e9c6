"""Addresses of MLflow stores: their parts, their form without credentials, and what is wrong with one."""

from __future__ import annotations

import difflib
import re
from importlib.metadata import entry_points

SQLITE = "sqlite:///"
SERVER_SCHEMES = ("http", "https")
DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
CREDENTIALS_ADVICE = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_MISTYPED = re.compile(r"(https?)(:/?|//)(?=[^/\d])", re.IGNORECASE)
_HOST_NAME = re.compile(r"[^:@\s\[\]]+|\[[^@\s\]]+\]")
_HOST = re.compile(rf"({_HOST_NAME.pattern})(:\d+)?")
_SECRET = re.compile(r"[?&;]\w*(password|passwd|pwd|token|secret)\w*=", re.IGNORECASE)
_OF_MLFLOW = ("databricks", "uc:", "file:", "/", ".")
"""How the other addresses begin that MLflow knows: of hosted services and of folders."""


def split_scheme(uri: str) -> tuple[str, str]:
    """The scheme of an address without its driver, in lower case and empty where there is none; and the rest.

    Args:
        uri: such as ``postgresql+psycopg2://host/db``.
    """
    match = _SCHEME.fullmatch(uri)
    return (match[1].partition("+")[0].lower(), match[2]) if match else ("", uri)


def lower_scheme(uri: str) -> str:
    """The same address with its scheme in lower case, as databases' drivers need it.

    Args:
        uri: the address.
    """
    rest = split_scheme(uri)[1]
    start = len(uri) - len(rest)
    return uri[:start].lower() + rest


def without_credentials(uri: str) -> str:
    """An address for messages: without user name, password and query, even where the address is mistyped.

    Args:
        uri: anything that a user gave as an address.
    """
    start = uri[: len(uri) - len(split_scheme(uri)[1])]
    _, rest = _split_credentials(uri)
    return start + re.split(r"[?#]", rest, maxsplit=1)[0]


def has_credentials(uri: str) -> bool:
    """Whether an address holds a user name, a password or a token.

    Args:
        uri: the address.
    """
    return bool(_split_credentials(uri)[0]) or _SECRET.search(uri) is not None


def _split_credentials(uri: str) -> tuple[str, str]:
    """User name and password of an address, with the ``@``, and what follows its scheme and them.

    A later ``@`` belongs to the path or the query if a host stands before these, otherwise to a password with ``/``.
    """
    scheme, rest = split_scheme(uri)
    start = re.split(r"[/?#]", rest, maxsplit=1)[0]
    has_host = (scheme in SERVER_SCHEMES and _HOST.fullmatch(start)) or (scheme in DATABASE_PORTS and _HOST_NAME.fullmatch(start))
    if scheme in ("sqlite", "file") or has_host:
        return "", rest
    credentials, mark, place = rest.rpartition("@")
    return credentials + mark, place


def host_and_port(uri: str) -> tuple[str, int | None]:
    """The host of an address and its port, None where it names none.

    Args:
        uri: the address of a server or of a database's server.

    Raises:
        ValueError: the port is not a number from 1 to 65535; the text names only the port.
    """
    place = re.split(r"[/?#]", _split_credentials(uri)[1], maxsplit=1)[0]
    host, _, port = place.rpartition(":") if re.search(r":[^\]]*$", place) else (place, "", "")
    if port and not (port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(f"the port {port}")
    return host.strip("[]"), int(port) if port else None


def find_address_fault(uri: str) -> str | None:
    """What is wrong with the form of an address, as ``must ..., got ...`` without credentials; None where it can be one.

    Args:
        uri: the address.
    """
    scheme, rest = split_scheme(uri)
    shown = without_credentials(uri)
    if uri.startswith(_OF_MLFLOW):
        return None
    if scheme in SERVER_SCHEMES or scheme in DATABASE_PORTS:
        return _find_server_fault(uri, scheme, shown)
    if scheme == "sqlite":
        is_file = rest.startswith("/") and rest.strip("/")
        return None if is_file else f"must be {SQLITE}FILE, such as {SQLITE}{rest.strip('/') or 'mlflow.db'}, got {shown}"
    if scheme in {plugin.name for plugin in entry_points(group="mlflow.tracking_store")}:
        return None
    return f"must begin with http://, https://, {SQLITE} or postgresql://, such as {_likely(uri)}, got {shown}"


def _find_server_fault(uri: str, scheme: str, shown: str) -> str | None:
    """What is wrong with the address of a server."""
    credentials, place = _split_credentials(uri)
    if scheme in SERVER_SCHEMES and re.search(r"[/?#]", credentials):
        return (
            f"must have no /, ? or # in its user name or password (percent-encoded, / is %2F), or leave them to "
            f"{CREDENTIALS_ADVICE}, got {shown} with one"
        )
    if re.search(r"\s", place):
        return f"must have no space, got {shown}"
    try:
        host, _ = host_and_port(uri)
    except ValueError as error:
        return f"must have a port from 1 to 65535, got {error} in {shown}"
    if host or scheme in DATABASE_PORTS:  # a database without one is on this machine
        return None
    return f"must name a host, such as {scheme}://HOST:5000, got {shown}"


def _likely(uri: str) -> str:
    """The address that was probably meant, without credentials."""
    shown = without_credentials(uri)
    if mistyped := _MISTYPED.match(shown):
        return f"{mistyped[1].lower()}://{shown[mistyped.end() :]}"
    scheme, rest = split_scheme(shown)
    if re.search(r"\.(db|sqlite3?)$", rest):
        return SQLITE + re.sub(r"^sqlite:/*", "", rest)
    close = difflib.get_close_matches(scheme, [*SERVER_SCHEMES, *DATABASE_PORTS], n=1) if scheme else []
    return f"{close[0] if close else 'http'}://{rest}"
