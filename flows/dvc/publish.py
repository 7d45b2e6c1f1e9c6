"""Publication after success: pushes data to the DVC remote and commits ``dvc.lock`` to a branch.

The user's working tree and index stay untouched.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from flows.dvc.command import Dvc
from flows.dvc.git_command import GitRefused, git, run_git
from flows.dvc.refresh import transfer_error
from flows.processes.supervised import StopPolicy
from seq2seq_core.artifacts import LOCK_FILE, RECEIPT_FILE
from seq2seq_core.errors import UserError

IDENTITY = {
    "GIT_AUTHOR_NAME": "seq2seq-flows",
    "GIT_AUTHOR_EMAIL": "seq2seq-flows@localhost",
    "GIT_COMMITTER_NAME": "seq2seq-flows",
    "GIT_COMMITTER_EMAIL": "seq2seq-flows@localhost",
}
"""Author and committer where git has no identity configured."""


def push_data(dvc: Dvc, log: Callable[[str], None], policy: StopPolicy) -> str:
    """Runs ``dvc push``; returns the last line of its output.

    Args:
        dvc: the workspace's DVC.
        log: receives each line of output.
        policy: when the command is stopped.

    Raises:
        UserError: no remote is configured.
        EnvironmentFault: the remote does not answer.
        Interrupted: the command was stopped before its end.
    """
    result = dvc.run(["push"], log, policy)
    if result.exit_code != 0:
        raise transfer_error(["push"], result)
    return f"dvc push: {result.lines[-1] if result.lines else 'done'}"


def check_branch(root: Path, branch: str) -> None:
    """Checks that ``dvc.lock`` can be committed to a branch; called before a long run, so that a fault costs no time.

    Args:
        root: the workspace, a folder in a git repository.
        branch: the branch's name.

    Raises:
        UserError: there is no git repository, git does not accept the name, or the branch is checked out in a worktree (its
            files would then differ from the branch).
    """
    setting = "runtime.flow.publish.commit_branch"
    try:
        _git(root, "check-ref-format", "--branch", branch)
    except GitRefused:
        raise UserError(f"{setting}: must be a name that git accepts for a branch, got {branch!r}") from None
    for line in _git(root, "worktree", "list", "--porcelain").splitlines():
        if line == f"branch refs/heads/{branch}":
            raise UserError(f"{setting}: must be a branch that is not checked out, got {branch!r}, which is")


def commit_lock(root: Path, branch: str, sources: Iterable[str], message: str) -> str:
    """Commits ``dvc.lock``, the receipt and the ``.dvc`` files to a branch; returns a line about the commit.

    It uses git's plumbing commands only.

    A new branch starts at HEAD. A branch that lacks commits of HEAD gets them by a merge: the lock file and the code that made
    it are always in the same commit.

    Args:
        root: the workspace; its ``dvc.lock``, receipt and ``.dvc`` files are read, its index and files are not changed.
        branch: the branch's name.
        sources: the ``.dvc`` files, relative to the workspace.
        message: the commit's message.

    Raises:
        UserError: git fails, or the branch and HEAD conflict in other files.
    """
    reference = f"refs/heads/{branch}"
    head = _git(root, "rev-parse", "--verify", "HEAD^{commit}")
    tip = _resolve(root, reference)
    prefix = _git(root, "rev-parse", "--show-prefix")
    files = [name for name in (LOCK_FILE, RECEIPT_FILE, *sources) if (root / name).is_file()]
    base, parents = _base(root, head, tip, {f"{prefix}{name}" for name in files})
    tree = _tree_with(root, base, prefix, files)
    if tip is not None and parents == [tip] and tree == _git(root, "rev-parse", f"{tip}^{{tree}}"):
        return f"branch {branch}: nothing new to commit"
    arguments = [argument for parent in parents for argument in ("-p", parent)]
    commit = _git(root, "commit-tree", tree, *arguments, "-m", message, identity=True)
    # With the old value, git fails if someone else has moved the branch in the meantime.
    _git(root, "update-ref", "-m", "retrain", reference, commit, tip or "0" * len(commit))
    return f"branch {branch}: committed {', '.join(files)} as {commit[:10]}"


def uncommitted_files(root: Path, sources: Iterable[str]) -> list[str]:
    """Tracked files with uncommitted changes, without those that :func:`commit_lock` commits.

    Args:
        root: the workspace, where ``git diff`` runs.
        sources: the ``.dvc`` files, relative to the workspace.
    """
    published = {LOCK_FILE, RECEIPT_FILE, *sources}
    changed = _git(root, "diff", "--name-only", "--relative", "HEAD").splitlines()
    return [name for name in changed if name not in published]


def _base(root: Path, head: str, tip: str | None, published: set[str]) -> tuple[str, list[str]]:
    """The tree that the commit starts from, and its parents."""
    if tip is None or tip == head:
        return head, [head]
    if _is_ancestor(root, head, tip):
        return tip, [tip]
    if _is_ancestor(root, tip, head):
        return head, [tip, head]
    # From the top: git names conflicts relative to the folder that it is called in.
    top = Path(_git(root, "rev-parse", "--show-toplevel"))
    merged = run_git(top, ["merge-tree", "--write-tree", "--name-only", "--no-messages", tip, head])
    tree, *conflicts = merged.stdout.splitlines() or [""]
    if merged.returncode not in (0, 1) or not tree:
        raise GitRefused(f"git merge-tree: {merged.stderr.strip()}")
    # Conflicts in the files that this commit replaces do not matter.
    others = sorted({name for name in conflicts if name} - published)
    if others:
        raise UserError(f"the branch to commit on and HEAD have both changed {', '.join(others)}: merge them by hand first")
    return tree, [tip, head]


def _tree_with(root: Path, base: str, prefix: str, files: Sequence[str]) -> str:
    """The tree of ``base`` with the workspace's files added, built in a temporary index."""
    with tempfile.TemporaryDirectory(prefix="s2s-index-") as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        _git(root, "read-tree", base, variables=index)
        for name in files:
            blob = _git(root, "hash-object", "-w", "--", name)
            _git(root, "update-index", "--add", "--cacheinfo", f"100644,{blob},{prefix}{name}", variables=index)
        return _git(root, "write-tree", variables=index)


def _resolve(root: Path, reference: str) -> str | None:
    """The commit of a reference, or None where there is none."""
    found = run_git(root, ["rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}"])
    return found.stdout.strip() if found.returncode == 0 else None


def _is_ancestor(root: Path, older: str, newer: str) -> bool:
    return run_git(root, ["merge-base", "--is-ancestor", older, newer]).returncode == 0


def _git(root: Path, *arguments: str, variables: dict[str, str] | None = None, identity: bool = False) -> str:
    """The output of a git command, with an identity for a commit where git has none.

    Raises:
        GitRefused: the command failed.
    """
    known = identity and run_git(root, ["var", "GIT_COMMITTER_IDENT"]).returncode == 0
    return git(root, *arguments, variables={**(variables or {}), **(IDENTITY if identity and not known else {})})
