"""``serve``: the server of ``s2s serve``. No stage depends on it."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from seq2seq_core.config.section import Section
from seq2seq_core.config.serving.request_limits import RequestLimits

TOKEN_VARIABLE = "S2S_SERVE_TOKEN"


class ConnectionSettings(Section):
    """What a connection may take of the server before it has asked for anything."""

    max_connections: int = Field(default=1024, ge=1)
    """Most connections; beyond it, the one that has been without a request for longest is closed."""
    max_requests: int = Field(default=256, ge=1)
    """Most requests that are answered at a time, each by a thread; others are answered with status 503."""
    max_body_bytes: int = Field(default=8_388_608, ge=1024)
    """Longest body of a request; a longer one is answered with status 413, before it is read where its length is stated."""
    max_buffered_bytes: int = Field(default=67_108_864, ge=1024)
    """Most bytes of all bodies together that are held in memory; beyond it requests are answered with status 503."""
    header_seconds: float = Field(default=10.0, gt=0.0)
    """Longest time until the head of a request is complete, from the connection or from its first byte."""
    body_seconds: float = Field(default=30.0, gt=0.0)
    """Longest time until the body is complete."""
    keep_alive_seconds: float = Field(default=30.0, gt=0.0)
    """Time for which a connection without a request is kept."""


class ServeSection(Section):
    """The server of ``s2s serve``."""

    host: str = Field(default="127.0.0.1", min_length=1)
    """Address to listen on. The default is this machine alone; before ``0.0.0.0`` set a token, and TLS."""
    port: int = Field(default=5001, ge=1, le=65535)
    """Port to listen on."""
    limits: RequestLimits = RequestLimits()
    """Bounds of a request and of batches."""
    connections: ConnectionSettings = ConnectionSettings()
    """Bounds of connections."""
    workers: int = Field(default=1, ge=1, le=64)
    """Processes that decode, each with the model in its memory; one uses all cores (see ``threads``)."""
    threads: int = Field(default=0, ge=0)
    """CPU threads of a worker; 0: PyTorch's choice, as many as there are cores."""
    poll_seconds: float = Field(default=10.0, ge=0.0)
    """Time between two looks at where the alias points; 0: never. Only for references such as ``models:/NAME@champion``."""
    start_seconds: float = Field(default=300.0, gt=0.0)
    """Longest time for a worker to load a model."""
    grace_seconds: float = Field(default=5.0, ge=0.0)
    """Time after which a worker is killed that goes on with a batch for which nobody waits any more."""
    stalled_seconds: float = Field(default=30.0, gt=0.0)
    """Time without anything finished, while requests wait, after which ``/ready`` answers with status 503."""
    lame_duck_seconds: float = Field(default=0.0, ge=0.0)
    """Time after SIGTERM in which requests are still taken while ``/ready`` answers with status 503, so that a load balancer turns
    elsewhere before the port is closed."""
    drain_seconds: float = Field(default=60.0, ge=0.0)
    """Time for which a server that was asked to stop (SIGTERM) goes on with the requests that it has."""
    access_log: bool = True
    """Whether each request is a line of JSON on standard output."""
    token_file: str = ""
    """File of a token, relative to the workspace, that requests must have in ``Authorization: Bearer``; empty: that of the
    environment variable ``S2S_SERVE_TOKEN``, or none. ``/ping``, ``/health`` and ``/ready`` need none."""
    tls_certificate_file: str = ""
    """File of the certificate chain (PEM), relative to the workspace, for HTTPS; empty: HTTP."""
    tls_key_file: str = ""
    """File of its private key (PEM)."""

    @model_validator(mode="after")
    def _has_both_files(self) -> Self:
        if bool(self.tls_certificate_file) != bool(self.tls_key_file):
            missing = "tls_key_file" if self.tls_certificate_file else "tls_certificate_file"
            raise ValueError(f"{missing} must be given with the other file of TLS, got nothing")
        return self
