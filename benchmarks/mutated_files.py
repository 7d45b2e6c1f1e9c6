"""Whether the readers of a corpus stand damaged files: rows and faults come, no crash, no hang, no flood of memory, no lost row.

    python benchmarks/mutated_files.py                         10,000 files
    python benchmarks/mutated_files.py --files 300 --seed 7

Each file is made by `benchmarks/hostile/mutations.py`: a sound one in some format, damaged at random by its number. A worker reads
it by lines, strictly, and into the database, as `validate` does, and compares: all ways give the same rows, and every line is a row
or has a fault. A worker that takes too long is killed. Exit code 1: a file failed; the last line names the folder with it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.hostile.mutations import SEEDS, Content, mutate
from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.corpus.file_faults.broken_lines import BrokenLines
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.reading import CorpusEntry, SplitReader, find_head_faults
from seq2seq_core.corpus.rows.row_store import RowStore, rows_table
from seq2seq_core.corpus.rows.split_loading import SplitLoader
from seq2seq_core.corpus.rows.store_opening import open_row_store
from seq2seq_core.errors import UserError

MOST_SECONDS, MOST_BYTES = 180.0, 2 << 30
"""The bars: time for a file, and memory beyond that of an idle worker."""
MOST_LISTED = 20_000
"""Rows up to which those of all ways are compared one by one."""


def read_in_all_ways(folder: Path, names: list[str], store: RowStore) -> str:
    """What became of a file: ``rows``, ``some rows`` or ``refused``.

    Args:
        folder: of the corpus.
        names: of the file, or of two aligned ones.
        store: an empty database, which is left empty.

    Raises:
        AssertionError: the ways differ, or a line is lost.
    """
    files = {"train": [names] if len(names) == 2 else names}
    strictly = CorpusSection.model_validate({"path": ".", "files": files})
    corpus = strictly.model_copy(update={"max_malformed_fraction": 1.0})
    reader = SplitReader(corpus, folder, "train")
    (entry,) = reader.entries
    broken = BrokenLines(most=sys.maxsize)
    rows = list(broken.set_aside(broken.collect(reader.iterate_entry(entry, broken))))
    head = find_head_faults(entry)
    assert not head or broken.is_cut, f"the head is faulty, but rows come: {head[0]}"
    if not broken.is_cut:
        has_broken_head = broken.num_lines and broken.faults()[0].line == 1 and names[0].partition(".")[2][:3] in ("tsv", "csv")
        check_account(folder, names, len(rows) + broken.num_lines - has_broken_head)
    try:
        assert list(SplitReader(strictly, folder, "train")) == rows, "the strict reader gives other rows"
        assert not broken.num_lines, "the strict reader passes over a fault"
    except UserError:
        assert broken.num_lines or broken.is_cut, "the strict reader alone finds a fault"
    check_store(reader, entry, store, rows, broken)
    return "refused" if broken.is_cut else "some rows" if broken.num_lines else "rows"


def check_account(folder: Path, names: list[str], accounted: int) -> None:
    """Compares rows and faults with the lines of a file, counted without the readers."""
    if names[0].endswith(".parquet"):
        import pyarrow.parquet

        expected = pyarrow.parquet.ParquetFile(folder / names[0]).metadata.num_rows
    else:
        data = (folder / names[0]).read_bytes()
        data = gzip.decompress(data) if names[0].endswith(".gz") else data
        if ".csv" in names[0] and b'"' in data:
            return  # its records may have several lines
        expected = data.count(b"\n") + (not data.endswith(b"\n")) - (".tsv" in names[0] or ".csv" in names[0])
    assert accounted == expected, f"{expected} rows in the file, {accounted} rows and faults"


def check_store(reader: SplitReader, entry: CorpusEntry, store: RowStore, rows: list[Row], broken: BrokenLines) -> None:
    """Loads the file into the database, and compares."""
    loader = SplitLoader(store, reader, None)
    try:
        faults = loader.load(entry)
        assert bool(faults) == broken.is_cut, f"the database has other faults: {faults[:1]}"
        if broken.is_cut:
            return
        assert store.counts["train"] == len(rows), f"{store.counts['train']} rows in the database, {len(rows)} from the reader"
        if len(rows) <= MOST_LISTED:
            found = store.fetch(f"SELECT line, source, target FROM {rows_table('train')} ORDER BY position")
            assert found == [(row.line, row.source, row.target) for row in rows], "the database has other rows"
    finally:
        store.connection.execute(f"DROP TABLE {rows_table('train')}")


def write(content: Content, names: list[str], folder: Path) -> None:
    """Writes a file, or two."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in zip(names, content, strict=True):
        (folder / name).write_bytes(data)


def make(number: int, seed: int) -> tuple[list[str], Content]:
    """The names and the content of a file by its number."""
    generator = random.Random(f"{seed} {number}")
    names = generator.choice(sorted(SEEDS))
    return names.split(), mutate(SEEDS[names], generator)


def work(pipe: Connection, seed: int, place: Path) -> None:
    """Reads the files whose numbers come; answers with what became of each, and the memory at most so far."""
    with open_row_store(place, "256 MB") as store:
        while (number := pipe.recv()) is not None:
            folder = place / "corpus"
            names, content = make(number, seed)
            write(content, names, folder)
            try:
                pipe.send((read_in_all_ways(folder, names, store), _peak()))
            except BaseException:  # noqa: BLE001 - whatever comes is a finding
                pipe.send((f"FAULT {traceback.format_exc()}", _peak()))
            for name in names:
                (folder / name).unlink()


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Worker:
    """A process that reads files, which may be killed.

    Args:
        seed: of all files.
        place: its folder.
    """

    def __init__(self, seed: int, place: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=work, args=(other, seed, place), daemon=True)
        self.process.start()
        other.close()
        self.idle = 0

    def ask(self, number: int) -> str:
        """What became of a file; ends the process where it hangs, dies or takes too much memory."""
        self.pipe.send(number)
        try:
            if not self.pipe.poll(MOST_SECONDS + (120 if not self.idle else 0)):
                return self.end(f"FAULT hang: more than {MOST_SECONDS:g} s")
            outcome, peak = self.pipe.recv()
        except EOFError:
            return self.end("FAULT the process died")
        self.idle = self.idle or peak
        return self.end(f"FAULT memory: {peak - self.idle:,} bytes") if peak - self.idle > MOST_BYTES else str(outcome)

    def end(self, outcome: str) -> str:
        """Ends the process."""
        self.process.kill()
        self.process.join()
        self.pipe.close()
        return outcome


def main() -> None:
    """Reads the files, and prints what became of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    kept, counts, started = Path(tempfile.mkdtemp(prefix="mutated-")), Counter[str](), time.monotonic()
    slowest, worker = (0.0, -1), None
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(arguments.first, arguments.first + arguments.files):
            worker = worker if worker is not None and worker.process.is_alive() else Worker(arguments.seed, Path(scratch) / "store")
            begun = time.monotonic()
            outcome = worker.ask(number)
            if worker.idle:
                slowest = max(slowest, (time.monotonic() - begun, number))
            counts[outcome.split()[0]] += 1
            if outcome.startswith("FAULT"):
                names, content = make(number, arguments.seed)
                write(content, names, kept / str(number))
                print(f"file {number} ({', '.join(names)}): {outcome}", flush=True)
        if worker is not None:
            worker.end("")
    seconds = time.monotonic() - started
    print(json.dumps({"seed": arguments.seed, **counts, "seconds": round(seconds), "slowest": slowest}))
    print(f"files that failed: {kept if counts['FAULT'] else 'none'}")
    raise SystemExit(1 if counts["FAULT"] else 0)


if __name__ == "__main__":
    main()
