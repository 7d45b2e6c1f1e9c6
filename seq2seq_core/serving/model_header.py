"""The header of an answer that names the registered version that gave it: written by the server, read by ``s2s lineage``."""

from __future__ import annotations

import re
from typing import NamedTuple

MODEL_HEADER = "X-S2S-Model"
_LINE = re.compile(
    rf"(?:{MODEL_HEADER}\s*:\s*)?models:/(?P<name>[^/@\s;]+)/(?P<number>[1-9]\d*)\s*;\s*bundle_digest=(?P<digest>[0-9a-f]{{8,64}})[.…]*",
    re.IGNORECASE,
)


class NamedModel(NamedTuple):
    """What a header says.

    Attributes:
        name: of the registered model.
        number: of the version.
        digest: of its bundle; of a header that somebody shortened, its first digits.
    """

    name: str
    number: str
    digest: str

    @property
    def reference(self) -> str:
        """MLflow's reference to the version."""
        return f"models:/{self.name}/{self.number}"

    def to_header(self) -> str:
        """The header's value."""
        return f"{self.reference}; bundle_digest={self.digest}"


def read_header(text: str) -> NamedModel | None:
    """What a header says: its value, or the whole line; None: it is no such header.

    Args:
        text: of the header.
    """
    match = _LINE.fullmatch(text.strip())
    return NamedModel(match["name"], match["number"], match["digest"].lower()) if match else None
