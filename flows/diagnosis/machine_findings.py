"""Disk, memory, cores, ports, proxies, and which credentials are there; never a secret itself."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from flows.diagnosis.finding import Finding
from flows.overview.troubles import LOW_BYTES
from seq2seq_core.stage_history.dvc_cache import cache_folder, dvc_folder

LOW_MEMORY = 1 << 30
PORTS = {
    5000: "the MLflow page (`s2s ui --mlflow-port N` takes another)",
    4200: "the Prefect page (`s2s ui --prefect-port N`)",
    5001: "the served model (`s2s serve --port N`)",
}
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
CREDENTIALS = (
    "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING",
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "GOOGLE_APPLICATION_CREDENTIALS",
    "AZURE_STORAGE_CONNECTION_STRING", "HF_TOKEN", "OPENLINEAGE_API_KEY", "S2S_WEBHOOK_URL",
)  # fmt: skip


def find_machine(root: Path) -> Iterator[Finding]:
    """What this machine has.

    Args:
        root: the workspace.
    """
    memory = psutil.virtual_memory()
    is_low = memory.available < LOW_MEMORY
    load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    text = f"{memory.available / 1e9:.1f} GB available of {memory.total / 1e9:.1f}; {load}"
    yield Finding("memory", text, "note" if is_low else "ok", "end other programs, or lower train.batch_tokens" if is_low else "")
    yield from _disks(
        {
            "disk of the workspace": root,
            "disk of DVC's cache": cache_folder(dvc_folder(root)),
            "disk of temporary files": Path(tempfile.gettempdir()),
        }
    )
    yield Finding("clock", time.strftime("%Y-%m-%d %H:%M:%S %Z"))
    for port, what in PORTS.items():
        is_free = _is_free(port)
        yield Finding(f"port {port}", f"{'free' if is_free else 'taken'}, for {what}", "ok" if is_free else "note")
    yield from _proxies()
    found = [name for name in CREDENTIALS if os.environ.get(name)]
    yield Finding("credentials", f"set: {', '.join(found) or 'none'} (of {len(CREDENTIALS)} variables that are looked for)")


def _disks(places: dict[str, Path]) -> Iterator[Finding]:
    seen = set[int]()
    for topic, place in places.items():
        folder = next(one for one in (place, *place.parents) if one.exists())
        if (device := folder.stat().st_dev) in seen:
            continue
        seen.add(device)
        usage = shutil.disk_usage(folder)
        is_low = usage.free < LOW_BYTES
        text = f"{usage.free / 1e9:.1f} GB free of {usage.total / 1e9:.1f} ({folder})"
        yield Finding(topic, text, "problem" if is_low else "ok", "`dvc gc --workspace` removes old caches" if is_low else "")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _proxies() -> Iterator[Finding]:
    given = {name: os.environ.get(name) or os.environ.get(name.upper()) for name in PROXIES}
    words = [f"{name}={value}" for name, value in given.items() if value]
    yield Finding("proxies", ", ".join(words) or "none set")
