from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from seq2seq_core.redaction.text_exits import RedactingStream, data_stream, install_redaction
from tests.canary import SAID, VARIABLES, find_leaks

LAST_WORDS = """
import sys, threading, warnings
from seq2seq_core.cli import main as entry
from tests.canary import SAID
def fail(**_):
    thread = threading.Thread(target=lambda: 1 / len(SAID[:0]))
    thread.run = lambda: (_ for _ in ()).throw(ValueError(SAID))
    thread.start()
    thread.join()
    warnings.warn(SAID)
    print(SAID)
    try:
        raise ValueError(SAID)
    except ValueError as error:
        raise RuntimeError("the end") from error
entry.app = fail
entry.main()
"""


@pytest.fixture(autouse=True)
def canaries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment holds every secret; streams and log records are as before behind the test."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    before, streams = logging.getLogRecordFactory(), (sys.stdout, sys.stderr)
    yield
    logging.setLogRecordFactory(before)
    sys.stdout, sys.stderr = streams


def log_a_chain(logger: logging.Logger) -> None:
    try:
        try:
            raise ValueError(SAID)
        except ValueError as error:
            raise RuntimeError(f"behind it: {SAID}") from error
    except RuntimeError:
        logger.exception("failed: %s", SAID)


def test_handlers_of_every_library_get_messages_and_chained_tracebacks_without_secrets() -> None:
    heard = io.StringIO()
    logger = logging.getLogger("some.library")
    handler = logging.StreamHandler(heard)
    logger.addHandler(handler)
    try:
        install_redaction()
        install_redaction()
        log_a_chain(logger)
        logger.warning("%d steps", 3)
    finally:
        logger.removeHandler(handler)
    told = heard.getvalue()
    assert find_leaks([told]) == []
    assert told.count("Traceback") == 2
    assert "RuntimeError: behind it: " in told
    assert told.endswith("3 steps\n")


def test_a_record_without_a_secret_keeps_its_arguments_and_its_exception() -> None:
    install_redaction()
    kept: list[logging.LogRecord] = []
    logger = logging.getLogger("some.library")

    def keep(record: logging.LogRecord) -> bool:
        kept.append(record)
        return False

    logger.addFilter(keep)
    error = ValueError("plain")
    logger.warning("%s of %s", 1, 2, exc_info=error)
    logger.filters.clear()
    (record,) = kept
    assert record.args == (1, 2)
    assert record.exc_info == (ValueError, error, None)


def test_a_stream_writes_without_secrets_and_is_else_the_stream_below(capsys: pytest.CaptureFixture[str]) -> None:
    plain = sys.stdout
    install_redaction()
    print(SAID)  # noqa: T201
    sys.stdout.writelines([SAID, "\n"])
    print(SAID, file=sys.stderr)  # noqa: T201
    said = capsys.readouterr()
    assert find_leaks([said.out, said.err]) == []
    assert said.out.count("***") > 10
    assert data_stream() is plain, "predictions stay as they are"
    assert (sys.stdout.encoding, sys.stdout.isatty()) == (plain.encoding, plain.isatty())
    with pytest.raises(TypeError, match=r"^write\(\) argument must be str, not bytes$"):
        RedactingStream(io.StringIO()).write(b"bytes")  # type: ignore[arg-type]


def test_the_last_traceback_of_the_process_and_of_a_thread_hold_no_secret() -> None:
    done = subprocess.run([sys.executable, "-c", LAST_WORDS], env={**os.environ, **VARIABLES}, capture_output=True, text=True)
    assert done.returncode == 1
    assert find_leaks([done.stdout, done.stderr]) == []
    assert done.stderr.count("Traceback") == 3, done.stderr
    assert "UserWarning" in done.stderr
    assert "***" in done.stdout
