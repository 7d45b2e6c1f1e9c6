"""Requests over HTTP, and what their answers mean for a user. Proxies and ``.netrc`` are those of the environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from seq2seq_core.corpus_import.import_libraries import load_library
from seq2seq_core.errors import EnvironmentFault, UserError, first_line
from seq2seq_core.proxies import describe_proxy

TIME_LIMITS = (15.0, 60.0)
"""Seconds until a connection stands, and from one part of an answer to the next."""
LONGEST_WAIT_SECONDS = 120.0
MOST_JSON_BYTES = 50_000_000
REFUSALS = {
    401: "asks who you are; expected a token (HF_TOKEN for Hugging Face), or an entry for this host in ~/.netrc",
    403: "forbids it; expected an account that may have it (on Hugging Face: one that accepted the dataset's terms, with HF_TOKEN)",
    404: "has nothing there; expected the address, name or version of something that exists",
    407: "cannot be reached, because the proxy asks who you are; expected http_proxy and https_proxy with user and password",
    410: "has it no longer; expected an address that still exists",
}


class BrokenOff(EnvironmentFault):
    """A connection failed or ended early, or the server has no time: the same request may succeed later.

    Args:
        message: what happened.
        wait_seconds: how long the server asks to wait.
    """

    def __init__(self, message: str, wait_seconds: float = 0.0) -> None:
        self.wait_seconds = wait_seconds
        super().__init__(message)


class Web:
    """Sends requests in one session."""

    def __init__(self) -> None:
        self._requests: Any = load_library("requests")
        self._session: Any = self._requests.Session()
        # Bytes as they are stored: a size, a checksum and a range are of them.
        self._session.headers["Accept-Encoding"] = "identity"

    def get(self, url: str, headers: Mapping[str, str] | None = None, what: str = "") -> Any:
        """An answer whose body is still to be read; the caller closes it. Its status is one of 200, 206 and 416.

        Args:
            url: the address.
            headers: of the request.
            what: the name of what is fetched, for messages; by default the address.

        Raises:
            UserError: the address is wrong, or the server refuses.
            BrokenOff: the server did not answer, or has no time.
        """
        answer = self._send("GET", url, headers or {}, what or url)
        if answer.status_code not in (200, 206, 416):
            wait = answer.headers.get("Retry-After", "")
            answer.close()
            if answer.status_code == 429 or answer.status_code >= 500:
                seconds = min(float(wait), LONGEST_WAIT_SECONDS) if wait.isdecimal() else 0.0
                raise BrokenOff(f"{what or url}: the server {_host(url)} answered {_status(answer)}", seconds)
            raise _refusal(answer, url, what)
        if "text/html" in answer.headers.get("Content-Type", "") and not what.endswith((".html", ".htm")):
            answer.close()
            raise UserError(f"{what or url}: the server {_host(url)} answered with a web page; expected the address of a file")
        return answer

    def size_of(self, url: str, headers: Mapping[str, str] | None = None, what: str = "") -> int | None:
        """The bytes of a file by its server's word; None where it does not say.

        Args:
            url: the address.
            headers: of the request.
            what: the name of what is asked about, for messages.

        Raises:
            UserError: the address is wrong, or there is no such file.
            EnvironmentFault: the server did not answer.
        """
        answer = self._send("HEAD", url, headers or {}, what or url)
        answer.close()
        if answer.status_code in (401, 404, 410):  # others refuse only the question: a signed address may be for GET alone
            raise _refusal(answer, url, what)
        length = answer.headers.get("Content-Length", "")
        return int(length) if answer.status_code == 200 and length.isdecimal() else None

    def read_json(self, url: str, what: str) -> Any:
        """The values of a JSON answer.

        Args:
            url: the address.
            what: the name of what answers, for messages.

        Raises:
            UserError: the server refuses, or answers with something else.
            EnvironmentFault: the server did not answer.
        """
        answer = self.get(url, {"Accept": "application/json"}, what)
        try:
            body = b""
            for block in self.blocks(answer, 1 << 16, what):
                body += block
                if len(body) > MOST_JSON_BYTES:
                    raise UserError(f"{what}: the answer has more than {MOST_JSON_BYTES:,} bytes; expected a list of files")
            return self._requests.compat.json.loads(body)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{what}: the answer is no JSON ({first_line(error)})") from None
        finally:
            answer.close()

    def blocks(self, answer: Any, size: int, what: str, as_stored: bool = False) -> Iterator[bytes]:
        """The body of an answer.

        Args:
            answer: from :meth:`get`.
            size: most bytes of a block.
            what: the name of what is fetched, for messages.
            as_stored: whether the bytes are those that come, which a length, a range and a checksum are of. Some servers call a
                ``.gz`` file packed for the way.

        Raises:
            BrokenOff: the connection ended early.
        """
        if as_stored:
            answer.raw.headers.pop("Content-Encoding", None)
        try:
            yield from answer.iter_content(size)
        except self._requests.RequestException as error:
            raise BrokenOff(f"{what}: the connection to {_host(answer.url)} broke off ({_cause(error)})") from None

    def _send(self, method: str, url: str, headers: Mapping[str, str], what: str) -> Any:
        errors = self._requests.exceptions
        try:
            return self._session.request(method, url, headers=dict(headers), stream=True, timeout=TIME_LIMITS, allow_redirects=True)
        except (errors.SSLError, errors.ProxyError, errors.ConnectionError, errors.Timeout) as error:
            message = f"{what}: no connection to {_host(url)}{describe_proxy(url)} ({_cause(error)})"
            if isinstance(error, errors.SSLError):
                raise UserError(f"{message}; expected a certificate that this machine trusts (REQUESTS_CA_BUNDLE)") from None
            raise BrokenOff(message) from None
        except (errors.RequestException, ValueError) as error:  # a redirect may lead to what is no address
            raise UserError(f"{what}: cannot be asked for ({first_line(error)})") from None


def _refusal(answer: Any, url: str, what: str) -> UserError:
    meaning = REFUSALS.get(answer.status_code, "refuses it")
    return UserError(f"{what or url}: the server {_host(url)} answered {_status(answer)}: it {meaning}")


def _status(answer: Any) -> str:
    return f"{answer.status_code} {answer.reason or ''}".strip()


def _host(url: str) -> str:
    """The host of an address without credentials."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2] or url


def _cause(error: BaseException) -> str:
    """The innermost cause of a library's error, which says what the others only wrap."""
    found: BaseException = error
    while (inner := found.__cause__ or found.__context__) is not None:
        found = inner
    return f"{type(found).__name__}: {first_line(found)}"
