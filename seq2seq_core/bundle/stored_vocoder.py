"""The description of the network in a served bundle that makes sound of frames."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from seq2seq_core.audio.vocos.vocos_form import VocosForm


class StoredVocoder(BaseModel):
    """The network that makes sound of frames; its weights are a file in the bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["vocos"]
    """Its name in the settings."""
    form: VocosForm
    """The frames that it reads, and its sizes."""
    source_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Digest of the files that it came from."""
