"""The connection to a Dask cluster: parts go out, results come back in order. Dask itself repeats the parts of a dead worker."""

from __future__ import annotations

import logging
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from seq2seq_core.artifacts import Paths
from seq2seq_core.cluster.part_files import share
from seq2seq_core.cluster.worker_check import find_fault, find_identity, run_checked
from seq2seq_core.code_digests.settings_values import values_in_use
from seq2seq_core.config.runtime import RuntimeSection
from seq2seq_core.config.settings import Settings
from seq2seq_core.console import progress
from seq2seq_core.errors import EnvironmentFault, UserError
from seq2seq_core.file_lock import hold_lock
from seq2seq_core.reproducibility import digest
from seq2seq_core.stage_table import find_stage

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
LOCK = "lock"
STARTING = "start a scheduler (`dask scheduler`) and workers (`dask worker ADDRESS --nthreads 1`) from this environment"


class _Busy(Exception):
    """Another process uses the folder."""


class Cluster:
    """The workers of a scheduler.

    Args:
        client: of ``distributed``.
        folder: shared by all; receives the parts.
        stage: whose work it is.
        key: digest of what each part depends on besides its input: settings, code, libraries.
        runtime: the address of the scheduler, and the longest time without any worker.

    Attributes:
        folder: as above.
        key: as above.
    """

    def __init__(self, client: Any, folder: Path, stage: str, key: str, runtime: RuntimeSection) -> None:
        self._client, self._stage = client, stage
        self._address, self._wait_seconds = runtime.dask_address, runtime.dask_wait_seconds
        self.folder, self.key = folder, key
        self._seen = time.monotonic()

    def share(self, value: object) -> str:
        """The name of a file from which every worker reads a value.

        Args:
            value: see :func:`~seq2seq_core.cluster.part_files.share`.
        """
        return share(self.folder, value)

    def map(self, function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        """The results of a function on the workers, in the order of its tasks.

        Args:
            function: at the top level of its module; a task may be executed more than once.
            tasks: arguments of each; made while workers already work on the first.

        Raises:
            EnvironmentFault: the scheduler or all workers are gone, or a task killed several workers.
            UserError: a worker has other code.
        """
        futures, self._seen = list[Any](), time.monotonic()
        try:
            for arguments in tasks:
                futures.append(self._client.submit(run_checked, find_identity(), function, arguments, pure=False))
            with progress(f"{self._stage} on the cluster", len(futures), "parts", "plain") as shown:
                for number, future in enumerate(futures, start=1):
                    yield self._wait(future)
                    shown.update(number)
        finally:
            with suppress(Exception):  # of a scheduler that is gone
                self._client.cancel([future for future in futures if not future.done()])

    def _wait(self, future: Any) -> Any:
        from concurrent.futures import CancelledError

        from distributed import KilledWorker

        while True:
            try:
                return future.result(timeout=POLL_SECONDS)
            except KilledWorker as error:
                raise EnvironmentFault(
                    f"runtime.dask_address: several Dask workers died while they computed the same part of {self._stage}, most "
                    f"often for lack of memory; expected workers with more than runtime.memory_limit for each thread ({error})"
                ) from None
            except CancelledError:
                raise self._lost() from None
            except ImportError as error:
                raise UserError(f"runtime.dask_address: a Dask worker lacks code: {error}; {STARTING}") from None
            except TimeoutError:
                if not future.done():
                    self._check_workers()
                elif future.status == "error":
                    future.result()

    def _check_workers(self) -> None:
        """Raises EnvironmentFault if there has been no worker for long."""
        try:
            has_workers = bool(self._client.nthreads())
        except OSError:
            raise self._lost() from None
        if has_workers:
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > self._wait_seconds:
            raise EnvironmentFault(
                f"runtime.dask_address: {self._address} has had no Dask worker for {self._wait_seconds:g} s; {STARTING}"
            )

    def _lost(self) -> EnvironmentFault:
        return EnvironmentFault(
            f"runtime.dask_address: lost the Dask scheduler {self._address}; the next run goes on from the finished parts"
        )

    def check(self) -> None:
        """Checks that each worker has the same code and reaches the folder.

        Raises:
            UserError: one of them is unfit.
        """
        probe, content = self.folder / f"probe-{secrets.token_hex(8)}", secrets.token_hex(8)
        probe.write_text(content, encoding="utf-8")
        try:
            found = self._client.run(find_fault, dict(find_identity()), str(probe), content, on_error="return")
        except ImportError as error:
            found = {"one": f"lacks code: {error}; {STARTING}"}
        faults = [f"  worker {address}: {fault}" for address, fault in found.items() if fault]
        if faults:
            head = f"runtime.dask_address: {len(faults)} of {len(found)} Dask workers cannot be used"
            raise UserError("\n".join([head, *faults]))
        logger.info("%s on %d Dask workers of %s", self._stage, len(found), self._address)


@contextmanager
def open_cluster(stage: str, settings: Settings, paths: Paths) -> Iterator[Cluster | None]:
    """The cluster of ``runtime.dask_address``; None: the settings name none. Parts are removed when the block ends well.

    Args:
        stage: whose work it is.
        settings: of the stage, and ``runtime``.
        paths: the workspace; parts are in ``.s2s/cluster``.

    Raises:
        UserError: ``distributed`` is not installed, or a worker is unfit.
        EnvironmentFault: no scheduler answers, or it has no worker.
    """
    folder, runtime = paths.cluster / stage, settings.runtime
    if not runtime.dask_address:
        shutil.rmtree(folder, ignore_errors=True)
        yield None
        return
    sections = {name: values_in_use(settings.section_named(name)) for name in find_stage(stage).sections}
    key = digest([stage, sections, dict(find_identity())])
    with ExitStack() as stack:
        client = _connect(runtime.dask_address, runtime.dask_wait_seconds)
        stack.callback(client.close, timeout=2)
        try:
            stack.enter_context(hold_lock(folder / LOCK, lambda _: _Busy()))
        except _Busy:
            folder = Path(tempfile.mkdtemp(dir=paths.cluster, prefix=f"{stage}-"))
        cluster = Cluster(client, folder, stage, key, runtime)
        cluster.check()
        yield cluster
        shutil.rmtree(folder, ignore_errors=True)


def _connect(address: str, wait_seconds: float) -> Any:
    """A client of a scheduler that has workers."""
    try:
        import distributed
    except ImportError:
        raise UserError("runtime.dask_address: needs the package distributed: pip install 'seq2seq-flows[dask]'") from None
    try:
        client: Any = cast("Any", distributed.Client)(address, timeout=wait_seconds, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), "")
        raise EnvironmentFault(f"runtime.dask_address: no Dask scheduler answers at {address} ({reason}); {STARTING}") from None
    try:
        client.wait_for_workers(1, timeout=wait_seconds)
    except TimeoutError:
        client.close(timeout=2)
        raise EnvironmentFault(
            f"runtime.dask_address: {address} has had no Dask worker for {wait_seconds:g} s; {STARTING}"
        ) from None
    return client
