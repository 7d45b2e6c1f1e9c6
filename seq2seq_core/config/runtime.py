"""``runtime``: settings that change no result: devices, workers, addresses, the flow. No stage depends on it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from seq2seq_core.config.section import Section
from seq2seq_core.tracking_address import CREDENTIALS_ADVICE, find_address_fault, has_credentials, without_credentials

WEBHOOK_VARIABLE = "S2S_WEBHOOK_URL"
PLAIN_USER = re.compile(r"ssh://[^:@/\s]+@")
"""The beginning of an address with a user name that is no secret."""


class StagePolicy(Section):
    """How the flow treats one stage; a field left out takes the value of ``flow.default``."""

    retries: int | None = Field(default=None, ge=0, le=100)
    """Restarts of a stage that crashed; a user's fault is never retried."""
    retry_delay_seconds: float | None = Field(default=None, ge=0.0)
    """Pause before a retry."""
    time_limit_seconds: float | None = Field(default=None, gt=0.0)
    """Time limit, after which the stage's process group is stopped (SIGTERM, then SIGKILL)."""
    tags: list[str] | None = None
    """Prefect tags of the stage's task; a tag with a concurrency limit queues it (``s2s setup-prefect``)."""
    pool: str | None = None
    """Prefect work pool whose workers run the stage, on machines that share no disk with this one; empty: it runs here."""


@dataclass(frozen=True)
class ResolvedPolicy:
    """How the flow treats one stage, with nothing left out; the fields are those of :class:`StagePolicy`."""

    retries: int
    retry_delay_seconds: float
    time_limit_seconds: float
    tags: tuple[str, ...]
    pool: str = ""


FALLBACK_POLICY = ResolvedPolicy(retries=1, retry_delay_seconds=5.0, time_limit_seconds=86_400.0, tags=())
"""The values that apply if neither the stage's policy nor ``flow.default`` sets them."""


class RefreshSettings(Section):
    """What ``retrain`` does to the data before the first stage."""

    mode: Literal["none", "pull", "update"] = "none"
    """``pull`` fetches what ``*.dvc`` files name from the DVC remote; ``update`` also brings imported corpora up to date."""
    targets: list[Annotated[str, Field(pattern=r"\.dvc$")]] = []
    """The ``*.dvc`` files concerned; empty: all that stages read."""


class PublishSettings(Section):
    """What ``retrain`` does after success."""

    push: bool = False
    """Whether to run ``dvc push``."""
    commit_branch: str = ""
    """Branch on which ``dvc.lock`` and the ``*.dvc`` files are committed (the working tree's branch stays); empty: no commit."""


class NotifySettings(Section):
    """Notifications of failures and promotions."""

    webhook_url: str = Field(default="", pattern=r"^(https?://\S+)?$")
    """Address that receives a POST with a JSON body; empty: that of the environment variable ``S2S_WEBHOOK_URL`` (for a secret
    address), or none."""
    on: list[Literal["failure", "promotion", "success"]] = ["failure", "promotion"]
    """Events to notify of."""
    timeout_seconds: float = Field(default=10.0, gt=0.0)
    """Longest wait for the webhook's answer."""

    def address(self, environment: Mapping[str, str]) -> str:
        """The webhook's address; empty where there is none.

        Args:
            environment: the environment variables.
        """
        return self.webhook_url or environment.get(WEBHOOK_VARIABLE, "")


class PoolSettings(Section):
    """Stages on work pools (``flow.stages.STAGE.pool``)."""

    repository: str = ""
    """Address from which workers clone the commit; empty: that of the git remote ``origin``. It must hold no credentials."""
    lost_after_seconds: float = Field(default=120.0, ge=5.0)
    """Time without a sign of life of a stage on a work pool after which it counts as lost and, by its policy, is retried. It sends
    six of them in this time."""
    state_url: str = ""
    """Folder of the training states on their way from one machine to the next, such as ``s3://bucket/states``; empty: the folder
    ``s2s_training_state`` beside the files of the default DVC remote."""
    state_every_seconds: float = Field(default=300.0, ge=1.0)
    """Time between two copies of the training state to that folder: what a lost worker costs."""

    @field_validator("repository", "state_url")
    @classmethod
    def _holds_no_credentials(cls, value: str) -> str:
        if "://" in value and has_credentials(value) and not PLAIN_USER.match(value):
            raise ValueError(
                f"must hold no user name, password or token: params.yaml is shared; got some for {without_credentials(value)}"
            )
        return value


class FlowSettings(Section):
    """How the flow drives the graph."""

    default: StagePolicy = StagePolicy()
    """The policy of a stage that has none of its own: by default 1 retry after 5 s, a limit of one day, no tag."""
    stages: dict[str, StagePolicy] = {"train": StagePolicy(tags=["gpu"])}
    """Policies by stage name; that of ``train`` also applies to ``train@de`` and the other items of a foreach or matrix."""
    stop_grace_seconds: float = Field(default=30.0, ge=0.0)
    """Time between SIGTERM and SIGKILL when a stage is stopped by its time limit."""
    cancel_grace_seconds: float = Field(default=4.0, ge=0.0, le=20.0)
    """Time between SIGTERM and SIGKILL when the flow run is cancelled or its process dies. A Prefect worker kills the flow run
    30 s after cancelling it."""
    work_pool: str = Field(default="seq2seq-pool", min_length=1)
    """The process work pool that ``s2s setup-prefect`` creates; the deployments of ``prefect.yaml`` name it too."""
    concurrency_limits: dict[str, Annotated[int, Field(ge=1)]] = {"gpu": 1}
    """Limits by tag that ``s2s setup-prefect`` creates on the Prefect server: how many tasks with it run at once, everywhere."""
    max_parallel_stages: int = Field(default=2, ge=1)
    """Independent stages that run side by side."""
    refresh: RefreshSettings = RefreshSettings()
    """The refresh of data before the first stage."""
    publish: PublishSettings = PublishSettings()
    """Publication after success."""
    notify: NotifySettings = NotifySettings()
    """Notification on failure and promotion."""
    dead_after_seconds: float = Field(default=900.0, ge=90.0)
    """Time without a sign of life of a run's process after which the Prefect server marks the run as crashed
    (``s2s setup-prefect``). A process sends one every 30 s; a Prefect server that was down for longer marks living runs too."""
    late_after_seconds: float = Field(default=600.0, ge=10.0)
    """How late a run may be before the webhook is notified that no worker starts it (``s2s setup-prefect``). The notification comes
    at the earliest 10 s after the Prefect server has marked the run as late."""
    server_start_seconds: float = Field(default=180.0, gt=0.0)
    """Longest wait for the embedded Prefect server where none is running."""
    busy_wait_seconds: float = Field(default=3600.0, ge=0.0)
    """Longest wait for files that another DVC command, such as ``dvc repro``, works on in this workspace. DVC itself waits without
    limit while another command holds the lock of the whole repository, which commands do for moments."""
    server_return_seconds: float = Field(default=300.0, ge=0.0)
    """Longest wait, after the last stage, for a Prefect server that died during the run; the stages never wait for it."""
    pools: PoolSettings = PoolSettings()
    """Stages on work pools, for all of them."""

    def policy(self, stage: str) -> ResolvedPolicy:
        """The policy of one stage.

        Args:
            stage: its name in ``dvc.yaml``; ``NAME@ITEM`` takes the policy of ``NAME`` where it has none of its own.
        """
        own = self.stages.get(stage) or self.stages.get(stage.partition("@")[0]) or StagePolicy()
        merged = {**vars(FALLBACK_POLICY), **self.default.model_dump(exclude_none=True), **own.model_dump(exclude_none=True)}
        return ResolvedPolicy(**{**merged, "tags": tuple(merged["tags"])})


class SigningSettings(Section):
    """Keys that sign and check bundles, offline (the extra ``signing``). ``docs/security.md`` says how to make them."""

    private_key_file: str = ""
    """File of the private key with which ``register`` signs a version, relative to the workspace; empty: that of the environment
    variable ``S2S_PRIVATE_KEY_FILE``, or no signature. ``S2S_PRIVATE_KEY_PASSWORD`` decrypts it."""
    public_key_file: str = ""
    """File of the public key for which every bundle that is loaded must be signed, except by the stages that make it; empty: that
    of ``S2S_PUBLIC_KEY_FILE``, or bundles need no signature."""


class RuntimeSection(Section):
    """Machine and addresses."""

    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    """``auto`` takes CUDA where there is one."""
    devices: Literal["auto"] | Annotated[int, Field(ge=1, le=1024)] = "auto"
    """Processes on this machine that train one model together, each on a GPU of its own; ``auto``: as many as there are GPUs where
    ``device`` names none of them. On a CPU, ``auto`` is 1 and N processes share the cores. Read by ``s2s train``."""
    shard_optimizer: bool = False
    """Whether each of several processes keeps only its part of the optimiser's state (ZeRO stage 1): less memory, more traffic."""
    max_restarts: int = Field(default=3, ge=0, le=1000)
    """Restarts of a training on several processes, from the last checkpoint, after one of them was killed."""
    rank_timeout_seconds: float = Field(default=1800.0, gt=0.0)
    """Longest time that one of several processes waits for the others."""
    num_threads: int = Field(default=0, ge=0)
    """CPU threads of PyTorch, in each process; 0: as many as there are cores, shared out among the processes of a training."""
    memory_limit: str = Field(default="2 GB", pattern=r"^[1-9]\d*(\.\d+)? ?[MGT]i?B$")
    """Memory of the database in which ``validate`` and ``prepare`` work; what exceeds it goes to the disk (``.s2s/rows``)."""
    incremental: bool = True
    """Whether ``validate``, ``prepare`` and ``tokenize`` keep what they have made of the rows, so that their next run works on new
    ones alone (``.s2s/kept_rows`` and ``.s2s/encoded``, about four times the size of the corpus). No output differs."""
    dask_address: str = Field(default="", pattern=r"^((tcp|tls|ws|wss)://\S+)?$")
    """Address of a Dask scheduler, such as ``tcp://host:8786``, on whose workers ``validate``, ``prepare`` and ``tokenize`` compute
    what rows are by themselves (the extra ``dask``; ``docs/data.md``); empty: in this process. No output differs. Certificates for
    ``tls://`` belong in Dask's own configuration."""
    dask_wait_seconds: float = Field(default=60.0, gt=0.0)
    """Longest wait for the Dask scheduler, and for its first worker, also after all of them have died."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """``auto``: autocast in bfloat16 on CUDA devices that have it, in float16 (with a scaled loss) on older ones, and float32 on a
    CPU. Weights are always float32."""
    tf32: bool = False
    """On CUDA devices: products of float32 matrices in TF32, with 10 bits of mantissa in place of 23; several times as fast."""
    deterministic: bool = False
    """Refuses operations whose result depends on the order of additions on a GPU; the same seed then gives the same weights on the
    same device. On a CPU this always holds."""
    compile: bool = False
    """Compiles the layers of Transformers (``torch.compile``); needs a compiler, and minutes at the start. Batches of any length
    share the compiled code."""
    packing: bool = False
    """Trains Transformers without computing padding: layers compute only the valid positions, and attention runs over rows of
    different lengths (PyTorch's nested tensors on a CUDA device; on a CPU it is padded again). Dropout draws other random numbers
    than without packing. Not with ``compile``; no effect with recurrent parts, time reduction or a pointer-generator."""
    activation_checkpointing: bool = False
    """Transformers keep only the inputs of each layer and recompute the rest for the gradient (Chen 2016): far less memory, about a
    third more time, the same result."""
    progress: Literal["auto", "bar", "plain"] = "auto"
    """A live bar, or plain lines; ``auto``: a bar on a terminal."""
    log_every_steps: int = Field(default=50, ge=1)
    """Updates between two points of the training curves."""
    checkpoint_every_seconds: float = Field(default=60.0, gt=0.0)
    """Longest time between two checkpoints of a training run."""
    num_checkpoints: int = Field(default=2, ge=1, le=100)
    """Number of last checkpoints to keep, beside the best weights; with 1 there is no fallback if it is damaged."""
    checkpoint_in_background: bool = True
    """Whether a separate thread writes checkpoints while training continues; takes memory for one more copy of them."""
    profile_steps: int = Field(default=0, ge=0, le=1000)
    """Updates to profile after a warm-up of five; a table of the heaviest operations and a trace go to the training state's folder
    and to MLflow. 0: none."""
    system_metrics_seconds: float = Field(default=10.0, ge=0.0)
    """Time between two samples of load, memory, disk, network and GPU during training, as curves in MLflow; 0: none."""
    reward_workers: int = Field(default=0, ge=0, le=256)
    """Processes that compute rewards while the model computes; 0: none, which is faster for short sentences."""
    experiment: str = Field(default="seq2seq-flows", min_length=1)
    """Name of the MLflow experiment."""
    tracking_uri: str = ""
    """Address of MLflow's runs and models, such as ``http://host:5000``; ``sqlite:///FILE`` starts at the workspace. It wins over
    the environment variable ``MLFLOW_TRACKING_URI``; empty: that variable, or the workspace's own ``sqlite:///mlflow.db``.
    Credentials belong in ``MLFLOW_TRACKING_USERNAME`` and ``MLFLOW_TRACKING_PASSWORD``, or ``MLFLOW_TRACKING_TOKEN``."""
    tracking_wait_seconds: float = Field(default=120.0, ge=0.0)
    """Longest wait, with growing pauses, for an MLflow that does not answer at the start of a run or stage, or in ``register``.
    What a stage cannot send later is kept and follows with the next run."""
    signing: SigningSettings = SigningSettings()
    """Keys that sign and check bundles."""
    openlineage_url: str = Field(default="", pattern=r"^(https?://\S+)?$")
    """Address of a server that takes OpenLineage's events of each stage, such as ``http://marquez:5000``, beside the file
    ``.s2s/openlineage.jsonl``; empty: none. A key belongs in the environment variable ``OPENLINEAGE_API_KEY``. A server that does
    not answer delays no stage by more than seconds."""
    flow: FlowSettings = FlowSettings()
    """How the flow drives the stages."""

    @field_validator("tracking_uri")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if fault := find_tracking_fault(value):
            raise ValueError(fault)
        return value

    @field_validator("openlineage_url")
    @classmethod
    def _holds_no_key(cls, value: str) -> str:
        return _refuse_credentials(value, "put a key in OPENLINEAGE_API_KEY")

    @field_validator("dask_address")
    @classmethod
    def _holds_no_credentials(cls, value: str) -> str:
        return _refuse_credentials(value, "Dask's own configuration has those of tls://")

    @model_validator(mode="after")
    def _packs_what_is_not_compiled(self) -> Self:
        if self.packing and self.compile:
            raise ValueError("packing must be false with compile, got true")
        return self


def _refuse_credentials(address: str, advice: str) -> str:
    if has_credentials(address):
        raise ValueError(
            f"must hold no user name, password or token, because params.yaml is shared: {advice}, "
            f"got some for {without_credentials(address)}"
        )
    return address


def find_tracking_fault(value: str) -> str | None:
    """What is wrong with ``runtime.tracking_uri``, as ``must ..., got ...`` without credentials; None where nothing is.

    Args:
        value: the setting.
    """
    if not value:
        return None
    if has_credentials(value):
        return (
            "must hold no user name, password or token, because params.yaml is shared: put them in "
            f"{CREDENTIALS_ADVICE} (or the whole address in MLFLOW_TRACKING_URI), got some for {without_credentials(value)}"
        )
    return find_address_fault(value)
