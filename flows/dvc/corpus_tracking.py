"""An imported corpus under DVC: its folder in the cache, its source in the ``.dvc`` file, which git keeps."""

from __future__ import annotations

import logging
from pathlib import Path

from flows.dvc.command import Dvc, refusal
from seq2seq_core.corpus_import.source_record import SourceRecord, dvc_file, write_pin

BUSY_WAIT_SECONDS = 60.0

logger = logging.getLogger(__name__)


def track_corpus(root: Path, folder: Path, record: SourceRecord) -> bool:
    """Puts a corpus folder under DVC, with its source in the ``.dvc`` file; False where the workspace has no DVC.

    Args:
        root: the workspace.
        folder: the corpus folder, inside of it.
        record: of the import.

    Raises:
        UserError: DVC refuses; the message is its own.
        WorkspaceBusy: another DVC process holds a lock for longer than a minute.
    """
    if not (root / ".dvc").is_dir():
        logger.warning("%s: is no DVC repository, so that the corpus is not tracked; `dvc init` makes one", root)
        return False
    arguments = ["add", folder.relative_to(root).as_posix()]
    result = Dvc(root, busy_wait_seconds=BUSY_WAIT_SECONDS).run(arguments, logger.debug)
    if result.exit_code != 0:
        raise refusal(arguments, result)
    write_pin(record, folder)
    logger.info("%s: tracked by DVC", dvc_file(folder).relative_to(root))
    return True
