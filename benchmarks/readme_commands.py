"""Whether every command of README.md and of the pages of docs/ works as it is written, in a fresh clone.

    python benchmarks/readme_commands.py                             README.md, in a clone with a new virtual environment
    python benchmarks/readme_commands.py --packages-of .venv         the clone borrows the packages of an environment: no download
    python benchmarks/readme_commands.py --page docs/scheduling.md   another page, after `make demo`
    python benchmarks/readme_commands.py --all                       README.md and every page of PAGES, one after the other
    python benchmarks/readme_commands.py --list                      the commands, and what the script supplies; runs nothing

The committed files of --repository are cloned into a scratch folder, and one shell runs the commands of the page in order, as a
reader would type them. A command that serves until somebody stops it runs beside the others: with `&` until the end, otherwise
until the end of its block. It has succeeded once its pages answer. What the reader must supply (a remote, a corpus, a commit) is
in a table, benchmarks/measured/page_supplies.py; the report names what was supplied, and why a command was skipped.

Each page but README.md and the tutorial starts after `make demo`. These clones share a cache of DVC, so the sample model is trained
once. Pages whose commands are not run are in benchmarks/measured/page_commands.py, with the reason; a test fails while a page with
commands is in neither.

The report has a row for each command: exit code, seconds, the last line of an error. The exit code is 1 if a command failed. The
ports 5000, 5001 and 4200 must be free. What a command printed stays in the scratch folder (--folder).
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measured.page_commands import PAGES, SERVERS, Command, commands_of
from benchmarks.measured.page_supplies import SUPPLIES, Supply

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS, STOP_SECONDS = 180.0, 60.0
INSTALLED = "source .venv/bin/activate"
DEMO = f"make demo && {INSTALLED}"
AS_SHOWN = Supply("")
BORROWED = """
import pathlib, re, shutil, subprocess, sys, venv
theirs, ours = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(".venv").resolve()
venv.create(ours, with_pip=True)
(packages,) = theirs.glob("lib/python*/site-packages")
(place,) = ours.glob("lib/python*/site-packages")
for old in place.glob("setuptools*"):
    shutil.rmtree(old)  # the environment's own is the one that builds the package
(place / "borrowed.pth").write_text(f"{packages}\\n")
for script in filter(pathlib.Path.is_file, (theirs / "bin").iterdir()):
    content = script.read_bytes()
    if not (ours / "bin" / script.name).exists() and content.startswith(b"#!") and b"python" in content.split(b"\\n")[0]:
        (ours / "bin" / script.name).write_bytes(re.sub(rb"^#!.*", f"#!{ours}/bin/python".encode(), content, count=1))
        (ours / "bin" / script.name).chmod(0o755)
pip = [ours / "bin" / "python", "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--editable", "."]
subprocess.run(pip, check=True)
(ours / ".installed").touch()
"""
"""Makes .venv of the clone with another environment's packages, as complete as `make install` does."""


@dataclass(frozen=True)
class Outcome:
    """What came of a command: its exit code (None: skipped), its seconds, and the last line of an error."""

    command: Command
    supply: Supply
    code: int | None
    seconds: float
    error: str = ""

    def row(self) -> str:
        """A row of the report."""
        shown = self.command.text if len(self.command.text) <= 72 else f"{self.command.text[:69]}..."
        code = "skipped" if self.code is None else str(self.code)
        notes = [f"supplied: {self.supply.reason}" if self.code is not None else self.supply.reason] if self.supply.reason else []
        return f"{code:>7} {self.seconds:7.1f} s  {shown:<72}  {'; '.join([*notes, self.error] if self.error else notes)}".rstrip()


class Shell:
    """One shell that runs the commands of a page; each has its own file of output."""

    def __init__(self, clone: Path, logs: Path, cache: Path | None = None) -> None:
        others = ("PREFECT_", "MLFLOW_", "S2S_", "PYTHON", "VIRTUAL")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
        identity = {f"GIT_{role}_{part}": "reader@example.org" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        if cache is not None:
            (logs / "dvc").mkdir()
            (logs / "dvc" / "config").write_text(f"[cache]\n    dir = {cache}\n", encoding="utf-8")
            kept["DVC_GLOBAL_CONFIG_DIR"] = str(logs / "dvc")
        home = {"PREFECT_HOME": str(logs / "prefect"), "GIT_EDITOR": "echo 'A run' >", "PAGER": "cat"}
        self.logs, self.count = logs, 0
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            ["bash"], cwd=clone, env=kept | identity | home, stdin=pipe, stdout=pipe, text=True, start_new_session=True
        )
        self.jobs: list[int] = []
        self._tell("set -m")  # background jobs as in a terminal: each in a process group that Ctrl-C can end

    def run(self, text: str) -> tuple[int, Path]:
        """Runs a command in the shell; returns its exit code and the file of its output."""
        script, log = self._files(text)
        self._tell(f". {script} > {log} 2>&1 < /dev/null; echo $?")
        return int(self._answer()), log

    def start(self, text: str) -> tuple[int, Path]:
        """Starts a command beside the next ones; returns its process and the file of its output."""
        script, log = self._files(text.removesuffix("&"))
        self._tell(f". {script} > {log} 2>&1 < /dev/null & echo $!")
        self.jobs.append(int(self._answer()))
        return self.jobs[-1], log

    def stop(self, job: int) -> str:
        """Ends a job as Ctrl-C does; returns what is wrong with its end."""
        if job in self.jobs and psutil.pid_exists(job):
            self.jobs.remove(job)
            family = [psutil.Process(job), *psutil.Process(job).children(recursive=True)]
            os.killpg(job, signal.SIGINT)
            _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
            for one in alive:
                one.kill()
            with suppress(ProcessLookupError):  # what the group started after the list was made
                os.killpg(job, signal.SIGKILL)
            return f"Ctrl-C left {len(alive)} processes running" if alive else ""
        return ""

    def close(self) -> None:
        """Ends all jobs, the shell and what it left running."""
        for job in list(reversed(self.jobs)):
            self.stop(job)
        left = psutil.Process(self.process.pid).children(recursive=True)
        self._pipe(self.process.stdin).close()
        for one in left:
            one.terminate()
        psutil.wait_procs(left, timeout=STOP_SECONDS)
        self.process.wait()

    def _files(self, text: str) -> tuple[Path, Path]:
        self.count += 1
        script = self.logs / f"{self.count:02}.sh"
        script.write_text(text + "\n", encoding="utf-8")
        log = script.with_suffix(".out")
        log.touch()
        return script, log

    def _tell(self, line: str) -> None:
        stdin = self._pipe(self.process.stdin)
        stdin.write(line + "\n")
        stdin.flush()

    def _answer(self) -> str:
        return self._pipe(self.process.stdout).readline()

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


def run_page(page: str, shell: Shell, folder: Path) -> list[Outcome]:
    """Runs the commands of a page and prints a row for each.

    Args:
        page: its path in the repository.
        shell: in the clone.
        folder: of the clone.
    """
    first = {"README.md": "true", "docs/tutorial.md": f"make install && {INSTALLED}"}.get(page, DEMO)
    if shell.run(first)[0] != 0:
        sys.exit(f"{first} failed; see {shell.logs}")
    outcomes: list[Outcome] = []
    until_block_ends: list[tuple[int, int]] = []
    for command in commands_of((folder / page).read_text(encoding="utf-8")):
        supply = SUPPLIES.get(page, {}).get(command.text, AS_SHOWN)
        for job, block in list(until_block_ends):
            if block != command.block:
                until_block_ends.remove((job, block))
                if fault := shell.stop(job):
                    print(f"        {fault}")
        started = time.monotonic()
        if supply.skip:
            outcomes.append(Outcome(command, supply, None, 0.0))
        elif (server := next((name for name in SERVERS if command.text.startswith(name)), None)) is not None:
            job, log = shell.start(command.text)
            error = wait_until_ready(job, SERVERS[server], log)
            if not command.text.endswith("&"):
                until_block_ends.append((job, command.block))
            outcomes.append(Outcome(command, supply, 1 if error else 0, time.monotonic() - started, error))
        else:
            if supply.first and shell.run(supply.first)[0] != 0:
                sys.exit(f"what {command.text!r} needs first failed: {supply.first}; see {shell.logs}")
            code, log = shell.run(supply.instead or command.text)
            outcomes.append(Outcome(command, supply, code, time.monotonic() - started, last_line(log) if code else ""))
        print(outcomes[-1].row(), flush=True)
    return outcomes


def wait_until_ready(job: int, addresses: tuple[str, ...], log: Path) -> str:
    """Waits until a server's pages answer, or, without a page, until it prints; returns what is wrong."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if not psutil.pid_exists(job) or psutil.Process(job).status() == psutil.STATUS_ZOMBIE:
            return f"ended: {last_line(log)}"
        if all(map(_answers, addresses)) and (addresses or last_line(log)):
            return ""
        time.sleep(0.5)
    return f"not ready after {READY_SECONDS:.0f} s: {last_line(log)}"


def _answers(address: str) -> bool:
    try:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=5.0)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def last_line(log: Path) -> str:
    """The last line with `error`, or else the last one, of a file of output."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "")[:160]


def print_list(page: str) -> None:
    """Prints the commands of a page, with what is supplied."""
    for command in commands_of((ROOT / page).read_text(encoding="utf-8")):
        supply = SUPPLIES.get(page, {}).get(command.text, AS_SHOWN)
        print(f"{command.text}" + (f"\n    {'skipped' if supply.skip else 'supplied'}: {supply.reason}" if supply.reason else ""))


def main() -> None:
    """Clones, runs the pages and prints the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="append", help="a page instead of README.md, from the repository's root; several times")
    parser.add_argument("--all", action="store_true", help="README.md and all pages whose commands can be run")
    parser.add_argument("--repository", type=Path, default=ROOT, help="the repository to clone (default: this one)")
    parser.add_argument("--packages-of", type=Path, help="a virtual environment whose packages the clone borrows")
    parser.add_argument("--folder", type=Path, help="an empty scratch folder, which is kept (default: a temporary one)")
    parser.add_argument("--list", action="store_true", help="print the commands and run nothing")
    arguments = parser.parse_args()
    pages = list(PAGES) if arguments.all else arguments.page or ["README.md"]
    if arguments.list:
        for page in pages:
            print_list(page)
        return
    folder = (arguments.folder or Path(tempfile.mkdtemp(prefix="readme-commands-"))).resolve()
    outcomes: list[Outcome] = []
    for page in pages:
        place = folder / Path(page).stem
        shutil.rmtree(place, ignore_errors=True)
        (place / "output").mkdir(parents=True)
        clone = place / "clone"
        subprocess.run(["git", "clone", "--quiet", arguments.repository.resolve(), clone], check=True)
        if arguments.packages_of:
            subprocess.run([sys.executable, "-c", BORROWED, arguments.packages_of.resolve()], cwd=clone, check=True)
        print(f"{page}, in {clone}")
        shell = Shell(clone, place / "output", None if page == "README.md" else folder / "dvc_cache")
        try:
            outcomes += run_page(page, shell, clone)
        finally:
            shell.close()
    failed = [outcome for outcome in outcomes if outcome.code]
    skipped = sum(outcome.code is None for outcome in outcomes)
    print(f"{len(outcomes)} commands, {len(failed)} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
