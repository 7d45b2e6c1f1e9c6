"""The redaction of a text: ``***`` in place of every known secret, and of the credentials in anything like an address."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import unquote

from seq2seq_core.redaction.known_secrets import (
    Secret,
    find_parts,
    secrets_of_address,
    secrets_of_settings,
    secrets_of_variables,
    split_credentials,
)

MASK = "***"
_WITH_SCHEME = re.compile(r"(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.-]{0,40}:/+[^\s'\"<>]{1,1000}@)")
_HOST = r"(?:(?:[\w-]+\.)+[A-Za-z]{2,}|localhost|\d+(?:\.\d+){3}|[\w.-]+:\d{2,5}(?!\w))"
_WITHOUT_SCHEME = re.compile(rf"(?<![\w.+/@:-])[\w.+-]{{1,64}}:(?![/\s])[^\s'\"<>]{{1,1000}}@(?={_HOST})")
_NAMED = re.compile(
    r"((?<![\w-])(?:[\w-]{0,40}(?:password|passwd|secret|signature|api[_-]?key|access[_-]?key|accountkey|webhook[_-]?url)|pwd|token|sig)=)[^\s&;'\",)]+",
    re.IGNORECASE,
)
_HEADER = re.compile(r"(authorization\W{1,6}(?:basic|bearer|token)\s+)[^\s'\"]+", re.IGNORECASE)
Value = TypeVar("Value")


class Redactor:
    """Hides secrets in texts.

    Args:
        secrets: the known ones.
    """

    def __init__(self, secrets: Iterable[Secret]) -> None:
        known = sorted(set(secrets), key=lambda secret: (-len(secret.text), secret.text))
        self._needles = [max(re.findall(r"[!-~]+", _plain(secret.text)), key=len, default="") for secret in known]
        self._pattern = re.compile("|".join(map(_pattern_of, known))) if known else None

    def redact(self, text: str) -> str:
        """A text with ``***`` in place of every secret.

        Args:
            text: anything that is about to be shown, sent or stored.
        """
        if self._pattern is not None and self._may_hold_one(text):
            text = self._pattern.sub(lambda match: f"{MASK}@" if match[0].endswith(("@", "%40")) else MASK, text)
        if "@" in text:
            text = _WITH_SCHEME.sub(_without_credentials, text)
            text = _WITHOUT_SCHEME.sub(f"{MASK}@", text)
        if "=" in text:
            text = _NAMED.sub(rf"\1{MASK}", text)
        return _HEADER.sub(rf"\1{MASK}", text) if "uthorization" in text else text

    def _may_hold_one(self, text: str) -> bool:
        """Whether a known secret can be in a text; most texts hold none, and this costs less than the pattern."""
        plain = _plain(text)
        return any(needle in plain for needle in self._needles)


class _Memory:
    """Secrets that are no environment variables, such as those of a settings file, kept until this process ends."""

    def __init__(self) -> None:
        self.secrets: frozenset[Secret] = frozenset()
        self._lock = threading.Lock()

    def add(self, secrets: frozenset[Secret]) -> None:
        """Keeps further secrets."""
        with self._lock:
            self.secrets |= secrets


_memory = _Memory()


def remember_settings(values: object) -> None:
    """Keeps the secrets in the content of a settings file, so that they are hidden in every later text.

    Args:
        values: the values as they were read, valid or not.
    """
    _memory.add(secrets_of_settings(values))


def remember_values(values: Mapping[str, str]) -> None:
    """Keeps the secrets among values that do not come from the environment, such as the settings of a remote.

    Args:
        values: by name; the name tells whether a value is a secret.
    """
    _memory.add(secrets_of_variables(values))


def remember_webhook(address: str) -> None:
    """Keeps the secrets of a webhook's address.

    Args:
        address: the whole address.
    """
    _memory.add(secrets_of_address(address, is_webhook=True))


def current_redactor() -> Redactor:
    """The redactor of this moment's environment and of what was remembered; made anew only after a change."""
    return _make_redactor(tuple(os.environ.items()), _memory.secrets)


@lru_cache(maxsize=4)
def _make_redactor(variables: tuple[tuple[str, str], ...], remembered: frozenset[Secret]) -> Redactor:
    return Redactor(secrets_of_variables(dict(variables)) | remembered)


def redact(text: str) -> str:
    """A text without the secrets of this process; see :meth:`Redactor.redact`."""
    return current_redactor().redact(text)


def redact_values(value: Value) -> Value:
    """A value of JSON's types without the secrets in its texts, names included.

    Args:
        value: a text, a list or tuple, a mapping, or anything else, which is returned as it is.
    """
    return _redact_value(value, current_redactor())  # type: ignore[no-any-return]


def _redact_value(value: Any, redactor: Redactor) -> Any:
    """The same with a redactor at hand."""
    if isinstance(value, str):
        return redactor.redact(value)
    if isinstance(value, Mapping):
        return {_redact_value(name, redactor): _redact_value(item, redactor) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_redact_value(item, redactor) for item in value)
    return value


def _without_credentials(match: re.Match[str]) -> str:
    """An address up to its last ``@`` without credentials; unchanged where it has none."""
    scheme, rest = find_parts(match[0])
    credentials, _ = split_credentials(scheme, rest)
    if not credentials or scheme in ("sqlite", "file"):
        return match[0]
    return f"{match[0][: len(match[0]) - len(rest)]}{MASK}@"


def _plain(text: str) -> str:
    """A text without percent-encoding and without backslashes, which reprs, JSON and Markdown put before characters."""
    return unquote(text.replace("\\", "")) if "%" in text or "\\" in text else text


def _pattern_of(secret: Secret) -> str:
    """A pattern of a secret in each form that it can take in a text: percent-encoded or not, with or without backslashes."""
    pattern = r"\\*".join(map(_pattern_of_character, secret.text))
    return rf"(?<!\w){pattern}(?!\w)" if secret.place == "as a word" else pattern


def _pattern_of_character(character: str) -> str:
    """A pattern of a character as it is, percent-encoded, or as an escape sequence of JSON or of a repr."""
    encoded = "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))
    forms = [re.escape(character), f"(?i:{encoded})"]
    forms += [r"\+"] if character == " " else []
    if not character.isascii():
        forms += [rf"u{ord(character):04x}", rf"x{ord(character):02x}"]  # behind the backslash
    return f"(?:{'|'.join(forms)})"
