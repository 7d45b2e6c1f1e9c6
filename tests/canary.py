"""Secrets that must never leave a process, in each place that this project reads one from, and the search for them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

SLASHED = "p4ss/w@rd#Canary"
"""A password that breaks an address."""
WEBHOOK_PATH = "/services/T0CANARY01/B0CANARY02/wEbHooKcAnary3"
VARIABLES = {
    "MLFLOW_TRACKING_USERNAME": "tracker",
    "MLFLOW_TRACKING_PASSWORD": "mlflowCanary4",
    "PREFECT_API_AUTH_STRING": "admin:prefectCanary5",
    "AWS_SECRET_ACCESS_KEY": "aws/Canary6+\"q'=",
    "HTTPS_PROXY": "http://proxy:proxyCanary7@proxy.invalid:3128",
    "HF_TOKEN": "hf_Canary8",
    "DATABASE_URL": "postgresql://data:b%40seCanary9@db.invalid/data",
    "S2S_WEBHOOK_URL": f"https://hooks.invalid{WEBHOOK_PATH}",
    "SHORT_PASSWORD": "a",
    "WORD_PASSWORD": "train",
}
NEEDLES = (
    SLASHED, "wEbHooKcAnary3", "mlflowCanary4", "prefectCanary5", "aws/Canary6", "proxyCanary7", "hf_Canary8", "b@seCanary9",
    base64.b64encode(b"tracker:mlflowCanary4").decode(),
)  # fmt: skip
"""A part of each secret."""
SAID = (
    f"{' '.join(VARIABLES.values())} {json.dumps(VARIABLES)} {VARIABLES!r} {quote(' '.join(VARIABLES.values()))} "
    f"Authorization: Basic {NEEDLES[-1]} http://tracker:{SLASHED}@mlflow.invalid:5000/api user:{SLASHED}@h.invalid:80"
)
"""A text with every secret in every form."""
SETTINGS_FILES = ("params.yaml", "config.local")


def find_leaks(texts: Iterable[str] = (), *folders: Path) -> list[str]:
    """The secrets in texts and in the files of folders, each with its place; settings files may hold their own."""
    contents = [("text", text.encode()) for text in texts]
    for folder in folders:
        files = [folder] if folder.is_file() else [path for path in folder.rglob("*") if path.is_file()]
        contents += [(str(path), path.read_bytes()) for path in files if path.name not in SETTINGS_FILES]
    forms = {form.encode() for needle in NEEDLES for form in (needle, quote(needle), quote(needle, safe=""))}
    return [f"{place}: {form.decode()}" for place, content in contents for form in sorted(forms) if form in content]
