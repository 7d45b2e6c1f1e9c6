"""The secrets that this process knows: values and addresses of its environment, its settings and its services.

A value that could be an ordinary word is a secret only within an address: hiding it everywhere would shred every text.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

SHORTEST, SHORTEST_PLAIN = 4, 8
"""Least characters of a value that is hidden outside of addresses: with several kinds of characters, and with one kind."""
SHORTEST_LINE = 16
"""Least characters of a line of a secret that is hidden by itself."""
ORDINARY_WORDS = frozenset(
    (
        "administrator", "authorization", "champion", "challenger", "credentials", "database", "evaluate", "password", "postgres",
        "postgresql", "register", "registry", "tokenize", "username", "validate", "workspace",
    )
)  # fmt: skip
_SECRET_NAME = re.compile(
    r"(password|passwd|passphrase|(^|[._-])(token|key|pass)|_pwd|auth_string|connection_string|custom_headers)$|secret",
    re.IGNORECASE,
)
_PLACE_NAME = re.compile(r"[_-](file|path|dir|id|name|url|arn)$", re.IGNORECASE)
_WEBHOOK_NAME = re.compile(r"webhook|(^|\.)notify($|\.)", re.IGNORECASE)
_ADDRESS_NAME = re.compile(r"(url|uri|dsn|proxy|address|endpoint|remote|host)$", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):/+)?(.*)", re.DOTALL)
_KEY_VALUE = re.compile(r"(?:key|password|pwd|secret|signature|token)=([^;\s]+)", re.IGNORECASE)
_FILES = ("sqlite", "file")
_PORT = re.compile(r"(\[[^]]*\]|[^:]*)(:\d{0,5})?")

Place = Literal["anywhere", "as a word", "in an address"]


@dataclass(frozen=True)
class Secret:
    """A text to hide.

    Attributes:
        text: the secret; for an address its credentials, with the ``@`` behind them.
        place: where the text is hidden; elsewhere it may be an ordinary word.
    """

    text: str
    place: Place


def secrets_of_variables(variables: Mapping[str, str]) -> frozenset[Secret]:
    """The secrets among environment variables or settings.

    Args:
        variables: values by name. Names of passwords, tokens and keys tell secrets; an address may hold credentials under any
            name, and the path of a webhook's address is a secret.
    """
    found: set[Secret] = set()
    for name, value in variables.items():
        if not value.strip():
            continue
        if "://" in value or ("@" in value and _ADDRESS_NAME.search(name)):
            found |= secrets_of_address(value.strip(), is_webhook=_WEBHOOK_NAME.search(name) is not None)
        if _SECRET_NAME.search(name) and not _PLACE_NAME.search(name):
            found |= _secrets_of_value(value)
    user, password = variables.get("MLFLOW_TRACKING_USERNAME", ""), variables.get("MLFLOW_TRACKING_PASSWORD", "")
    return frozenset(found | _as_header(user, password))


def secrets_of_address(address: str, *, is_webhook: bool = False) -> frozenset[Secret]:
    """The secrets of an address, also of a mistyped one: its credentials, each part of its password, a webhook's path.

    Args:
        address: such as ``http://user:password@host``; the scheme may be missing.
        is_webhook: whether the path and the query are secrets too.
    """
    scheme, rest = find_parts(address)
    if scheme in _FILES:
        return frozenset()
    found: set[Secret] = set()
    credentials, place = split_credentials(scheme, rest)
    if credentials:
        user, _, password = credentials.partition(":")
        found |= {Secret(f"{text}@", "in an address") for text in (credentials, unquote(credentials))}
        for secret in {password, *re.split(r"[/?#@:]", password), *([] if password.strip("*") else [user])}:
            found |= _secrets_of_text(secret)
        found |= _as_header(user, password) | _as_header(unquote(user), unquote(password))
    if is_webhook:
        found |= _secrets_of_path(place)
    return frozenset(found)


def find_parts(address: str) -> tuple[str, str]:
    """The scheme of an address, in lower case and empty where there is none; and the rest."""
    match = _ADDRESS.fullmatch(address)
    assert match is not None
    return (match[1] or "").lower(), match[2]


def split_credentials(scheme: str, rest: str) -> tuple[str, str]:
    """The credentials of an address and what follows them; no credentials where the ``@`` belongs to the path.

    Args:
        scheme: the scheme, in lower case; empty where there is none.
        rest: the address without its scheme. A password may contain ``/`` and ``@``.
    """
    credentials, at, place = rest.rpartition("@")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if not at or ("@" not in authority and _PORT.fullmatch(authority)):
        return "", rest
    # A user name alone is no secret, but it may be a token in the addresses of web servers.
    return (credentials, place) if ":" in credentials or scheme.startswith("http") else ("", rest)


def secrets_of_settings(values: object, name: str = "") -> frozenset[Secret]:
    """The secrets in the content of a settings file, valid or not.

    Args:
        values: the values as they were read.
        name: their dotted name.
    """
    if isinstance(values, Mapping):
        parts = [secrets_of_settings(value, f"{name}.{key}" if name else str(key)) for key, value in values.items()]
        return frozenset[Secret]().union(*parts)
    if isinstance(values, list | tuple):
        return frozenset[Secret]().union(*(secrets_of_settings(value, name) for value in values))
    return secrets_of_variables({name: values}) if isinstance(values, str) else frozenset()


def _secrets_of_value(value: str) -> set[Secret]:
    """The secrets of a variable that holds one: the value itself, and what a list of names and values has in it."""
    # These functions take any text, unlike pathlib's: a secret may be too long for a file name.
    if value.startswith(("/", "~", ".")) and os.path.exists(os.path.expanduser(value)):  # noqa: PTH110, PTH111
        return set()  # the place of a key file
    lines = [line for line in value.splitlines() if len(line) >= SHORTEST_LINE]  # of a private key, which is printed line by line
    texts = {value.strip(), *_KEY_VALUE.findall(value), *value.split()[-1:], *lines}
    user, colon, password = value.strip().partition(":")
    if colon and " " not in value and "://" not in value:
        texts.add(password)
    try:
        content = json.loads(value)
    except ValueError:
        content = None
    if isinstance(content, dict):
        texts |= {word for text in content.values() for word in str(text).split()[-1:]}
    return set[Secret]().union(*map(_secrets_of_text, texts)) | _as_header(user, password)


def _secrets_of_path(place: str) -> set[Secret]:
    """The secrets of a webhook's address behind its host: all of it, and each part that is no word."""
    match = re.search(r"[/?].*", place, re.DOTALL)
    path = match[0].rstrip("/") if match else ""
    parts = [part for part in re.split(r"[/?&=#]", path) if re.search(r"\d|[a-z][A-Z]", part) and len(part) >= SHORTEST_PLAIN]
    return set[Secret]().union(*map(_secrets_of_text, [path, *parts] if len(path) >= SHORTEST_PLAIN else []))


def _secrets_of_text(text: str) -> set[Secret]:
    """A secret as it is and percent-decoded; empty where either is too ordinary to be hidden outside of an address."""
    found = set()
    for form in {text, unquote(text)}:
        kinds = sum(re.search(kind, form) is not None for kind in (r"[a-z]", r"[A-Z]", r"\d", r"[^\w]|_|[^\W\d_a-zA-Z]"))
        if form.lower() in ORDINARY_WORDS or len(form) < (SHORTEST if kinds > 1 else SHORTEST_PLAIN):
            continue
        found.add(Secret(form, "as a word" if len(form) < SHORTEST_PLAIN or form.isdecimal() else "anywhere"))
    return found


def _as_header(user: str, password: str) -> set[Secret]:
    """User name and password as the header of a request has them (RFC 7617)."""
    header = base64.b64encode(f"{user}:{password}".encode()).decode("ascii").rstrip("=")
    return {Secret(header, "anywhere")} if user and password and len(header) >= SHORTEST_PLAIN else set()
