"""A limit on the bytes that an import takes, whatever a server or an archive claims."""

from __future__ import annotations

import io
from typing import BinaryIO

from seq2seq_core.errors import UserError

BYTES_A_GIGABYTE = 1_000_000_000


class SizeLimit:
    """Counts bytes and files up to a limit.

    Args:
        most_bytes: most bytes in all.
        most_files: most files in all.
    """

    def __init__(self, most_bytes: int, most_files: int = 100_000) -> None:
        self.most_bytes, self.most_files = most_bytes, most_files
        self.num_bytes = self.num_files = 0

    def check(self, claimed: int, what: str) -> None:
        """Refuses a claim that does not fit into what is left; takes nothing.

        Args:
            claimed: bytes.
            what: what they are of, for the message.

        Raises:
            UserError: it is too large.
        """
        if self.num_bytes + claimed > self.most_bytes:
            raise UserError(
                f"{what}: has more than the {self.most_bytes / BYTES_A_GIGABYTE:g} GB that one import may take in all; "
                "expected less, or a higher --max-gigabytes if you trust the source"
            )

    def take(self, num_bytes: int, what: str) -> None:
        """Counts bytes.

        Args:
            num_bytes: bytes that are about to be written.
            what: what they are of, for the message.

        Raises:
            UserError: these are too many.
        """
        self.check(num_bytes, what)
        self.num_bytes += num_bytes

    def take_files(self, number: int, what: str) -> None:
        """Counts files.

        Args:
            number: the number of files.
            what: what they are of, for the message.

        Raises:
            UserError: these are too many.
        """
        self.num_files += number
        if self.num_files > self.most_files:
            raise UserError(f"{what}: has more files than the {self.most_files:,} that one import may take")


class LimitedStream(io.RawIOBase):
    """A stream that is read only up to a limit, such as one that is being decompressed.

    Args:
        stream: the stream.
        limit: the limit.
        what: what it is, for the message.
        most_pending: most bytes that are read without a call of :meth:`forget`, because the reader keeps them in memory.
    """

    def __init__(self, stream: BinaryIO, limit: SizeLimit, what: str, most_pending: float = float("inf")) -> None:
        self.stream, self.limit, self.what, self.most_pending = stream, limit, what, most_pending
        self.pending = 0

    def forget(self) -> None:
        """Says that the reader keeps nothing of what it has read."""
        self.pending = 0

    def readable(self) -> bool:
        """See :class:`io.RawIOBase`."""
        return True

    def read(self, size: int = -1) -> bytes:
        """See :class:`io.RawIOBase`."""
        part = self.stream.read(size)
        self.limit.take(len(part), self.what)
        self.pending += len(part)
        if self.pending > self.most_pending:
            raise UserError(f"{self.what}: has a piece of more than {self.most_pending / 1e6:g} MB; expected short texts")
        return part
