"""A lineage, and the difference of two, for people: a tree of lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seq2seq_core.lineage.comparison import Comparison, Pair
from seq2seq_core.lineage.lineage_storage import Lineage
from seq2seq_core.lineage.row_changes import FileRows
from seq2seq_core.registry.ledger import Entry

DIGITS = 12
MAX_LISTED = 20
MAX_CHARACTERS = 100


@dataclass
class Node:
    """A line with the lines below it."""

    text: str
    below: list[Node] = field(default_factory=list)

    def add(self, text: str) -> Node:
        """Adds a line below; returns it."""
        self.below.append(Node(text))
        return self.below[-1]

    def lines(self) -> list[str]:
        """The tree, this line first."""
        found = [self.text]
        for place, node in enumerate(self.below):
            is_last = place == len(self.below) - 1
            head, *rest = node.lines()
            found.append(("└─ " if is_last else "├─ ") + head)
            found += [("   " if is_last else "│  ") + line for line in rest]
        return found


def lineage_tree(lineage: Lineage, decisions: Sequence[Entry]) -> str:
    """A lineage as a tree.

    Args:
        lineage: of a version.
        decisions: the entries of the ledger about it.
    """
    record, model = lineage.record, lineage.record["model"]
    root = Node(f"{lineage.label}: bundle {_short(model.get('bundle_digest'))}")
    root.add(f"weights {_short(model.get('weights_sha256'))}")
    _add_code(root, record["code"])
    _add_corpus(root, record["corpus"])
    stages = root.add("stages")
    for stage, outputs in record.get("stages", {}).items():
        node = stages.add(stage)
        for path, output in outputs.items():
            node.add(f"{path}  {_short(output['sha256'])}  {_size(output)}")
    root.add(f"test set {_short(record.get('test_set'))}")
    _add_machine(root, record["machine"])
    _add_parents(root, record.get("parents") or {})
    settings = root.add("settings (those given in params.yaml; --json has all)")
    for line in str(record["settings"]["text"]).splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            settings.add(line)
    if record.get("runs"):
        root.add("MLflow runs: " + ", ".join(f"{stage} {run}" for stage, run in record["runs"].items()))
    history = root.add("decisions" if decisions else "decisions: none")
    for entry in decisions:
        when = entry.when.strftime("%Y-%m-%d %H:%M:%S") if entry.when else ""
        history.add(f"{when} {entry.shown_kind} by {entry.who}: {' '.join(entry.reason.split())}")
    return "\n".join(root.lines())


def comparison_tree(comparison: Comparison, limit: int = MAX_LISTED) -> str:
    """The difference of two versions as a tree; what is the same is left out.

    Args:
        comparison: of two versions.
        limit: rows that are listed of each file; 0: all.
    """
    root = Node(f"{comparison.labels[0]} → {comparison.labels[1]}")
    _add_pairs(root, "settings", comparison.settings)
    _add_pairs(root, "code", comparison.commits)
    for stage, modules in comparison.code.items():
        root.add(f"code of {stage}: {_listed(modules)}")
    for stage, (before, after) in comparison.reach.items():
        only = [f"{which} {_listed(modules)}" for which, modules in (("no longer", before), ("now also", after)) if modules]
        root.add(f"code of {stage} that only one needs: {'; '.join(only)}")
    _add_pairs(root, "packages", comparison.packages)
    _add_pairs(root, "machine", comparison.machine)
    _add_corpus_changes(root, comparison, limit)
    _add_pairs(root, "stage outputs", comparison.outputs)
    _add_pairs(root, "also", comparison.others)
    if not root.below:
        root.add("nothing differs")
    return "\n".join(root.lines())


def _add_code(root: Node, code: Mapping[str, Any]) -> None:
    node = root.add(f"code: commit {code.get('commit') or 'none (no git repository)'}, seq2seq-flows {code.get('version')}")
    if code.get("patch_sha256"):
        node.add(f"with changes that were in no commit: dirty.patch {_short(code['patch_sha256'])}")
    if code.get("patch_lack"):
        node.add(f"these changes are not complete: {code['patch_lack']}")


def _add_corpus(root: Node, corpus: Mapping[str, Any]) -> None:
    if corpus.get("is_missing"):
        root.add(f"corpus {corpus['path']}: was not there at the registration")
        return
    node = root.add(f"corpus {corpus['path']}: {_short(corpus.get('sha256'))}, {corpus.get('num_files')} files")
    for source in corpus.get("sources", []):
        node.add(f"from {source['source']}, version {source['version']}; licence: {source['licence']}").add(source["command"])
    for place, (name, file) in enumerate(corpus["files"].items()):
        if place == MAX_LISTED:
            node.add(_more(len(corpus["files"]), MAX_LISTED).removeprefix(", "))
            break
        unit = "rows" if name.endswith(".parquet") else "lines"  # a head is a line, and so is each line of a CSV cell
        rows = f", {file['rows']} {unit}" if "rows" in file else ""
        node.add(f"{name}  sha256 {file['sha256']}  {file['size']:,} bytes{rows}")


def _add_machine(root: Node, machine: Mapping[str, Any]) -> None:
    node = root.add(f"machine (of {machine.get('of')}): {machine.get('cpu')}, {machine.get('threads')} threads")
    if machine.get("gpu"):
        node.add(f"GPU {machine['gpu']}")
    node.add(f"Python {machine.get('python')} on {machine.get('system')}")
    node.add("PyTorch settings: " + ", ".join(f"{name} {value}" for name, value in (machine.get("torch") or {}).items()))
    node.add(", ".join(f"{name} {version}" for name, version in (machine.get("packages") or {}).items()))


def _add_parents(root: Node, parents: Mapping[str, Any]) -> None:
    initial = parents.get("initial_weights")
    if initial:
        root.add(f"initial weights {initial.get('reference')}: bundle {_short(initial.get('digest'))}")
    teacher = parents.get("teacher")
    if teacher:
        root.add(f"teacher {teacher.get('reference')}: bundle {_short(teacher.get('digest'))}")
    for judge in parents.get("judges") or []:
        root.add(f"judge in training {judge.get('reference')}: bundle {_short(judge.get('digest'))}")
    champion = parents.get("champion")
    root.add(f"compared with version {champion}" if champion else "compared with no other version")


def _add_pairs(root: Node, title: str, pairs: Mapping[str, Pair]) -> None:
    node = root.add(title) if pairs else root
    for name, (one, other) in pairs.items():
        node.add(f"{name}: {_shown(one)} → {_shown(other)}")


def _add_corpus_changes(root: Node, comparison: Comparison, limit: int) -> None:
    if not comparison.files:
        return
    node = root.add("corpus")
    for name, pair in comparison.files.items():
        node.add(f"{name}: sha256 {_shown(pair[0])} → {_shown(pair[1])}")
    if comparison.rows is None:
        node.add("rows: not compared, because a version keeps no hashes of its rows (a corpus of more than 2,000,000)")
    for file in comparison.rows or []:
        _add_rows(node, file, limit)


def _add_rows(root: Node, file: FileRows, limit: int) -> None:
    counts = ", ".join(f"{number} {kind}" for kind, number in file.counts().items() if number)
    order = "the rows stand in another order" if file.is_reordered else ""
    node = root.add(f"rows of {file.file}: {', '.join(filter(None, (counts, order)))}")
    for change in file.changes[: limit or None]:
        place = f"{change.kind} {change.file}:{change.line}"
        if change.kind != "changed":
            node.add(f"{place}{_quoted(change.text)}")
            continue
        below = node.add(f"{place} (was line {change.line_before})")
        if change.text or change.text_before:
            below.add(f"-{_quoted(change.text_before)}")
            below.add(f"+{_quoted(change.text)}")
    if more := _more(len(file.changes), limit):
        node.add(f"{more.removeprefix(', ')} (--limit 0 lists all)")


def _quoted(text: str) -> str:
    shown = text.replace("\t", " ⇥ ")
    return f"  {shown[:MAX_CHARACTERS]}{'…' if len(shown) > MAX_CHARACTERS else ''}" if text else ""


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:MAX_LISTED])}{_more(len(names), MAX_LISTED)}"


def _more(number: int, shown: int) -> str:
    return f", and {number - shown} more" if shown and number > shown else ""


def _shown(value: Any) -> str:
    text = "none" if value is None else str(value)
    is_digest = len(text) in (40, 64) and all(digit in "0123456789abcdef" for digit in text)
    return text[:DIGITS] if is_digest else text


def _short(digest: Any) -> str:
    return str(digest)[:DIGITS] if digest else "none"


def _size(output: Mapping[str, Any]) -> str:
    files = f"{output['files']} files, " if output.get("files", 1) != 1 else ""
    return f"{files}{output.get('size', 0):,} bytes"
