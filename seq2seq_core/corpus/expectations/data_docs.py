"""Data Docs on one page that needs nothing but itself: a table a split, what is broken first.

Great Expectations builds it as a site of its own kind (``data_docs_sites``). Its default pages load styles and scripts from other
servers, come with four megabytes of pictures, and call a broken contract of severity ``warning`` *Failed*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from seq2seq_core import atomic
from seq2seq_core.artifacts import SPLITS
from seq2seq_core.corpus.expectations.check_result import FILES, CheckResult, read_result

PAGE = "index.html"
PASSED, WARNING, FAILED = "Passed", "Warning", "Failed"
STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
h2 { margin-top: 2.5rem; } h2 small { font-weight: normal; opacity: .7; }
table { border-collapse: collapse; width: 100%; }
th, td { border-top: 1px solid var(--line); padding: .4rem .6rem; text-align: left; vertical-align: top; }
td[colspan], td:first-child:empty { border: 0; padding-top: 0; }
td.found { white-space: nowrap; }
.status { border-radius: .3rem; color: #fff; display: inline-block; min-width: 4.2rem; padding: 0 .4rem; text-align: center; }
.Passed { background: #2a7d3f; } .Warning { background: #9a6700; } .Failed { background: #b3261e; }
h1 { overflow-wrap: anywhere; } pre { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; }
nav a { margin-right: 1rem; }
"""


class OnePageSite:
    """A site of Data Docs; Great Expectations makes it by the names in ``data_docs_sites``.

    Args:
        data_context: holds the validation results.
        store_backend: ``base_directory`` is the folder of the page.
        site_name: what the page is about.
    """

    def __init__(self, data_context: Any, store_backend: dict[str, Any], site_name: str = "") -> None:
        self._results = data_context.validation_results_store
        self._page, self._name = Path(store_backend["base_directory"]) / PAGE, site_name

    def build(self, resource_identifiers: object = None, build_index: bool = True) -> tuple[str, dict[str, Any]]:
        """Writes the page; returns its address, and no links.

        Args:
            resource_identifiers: the library asks for parts by them; all is written at once.
            build_index: the same.
        """
        suites = dict[str, list[CheckResult]]()
        for key in self._results.list_keys():
            result = self._results.get(key)
            suites[result.suite_name] = [read_result(one) for one in result.results]
        atomic.write_text(self._page, render_page(self._name, suites))
        return self.get_resource_url(), {}

    def get_resource_url(self, resource_identifier: object = None, only_if_exists: bool = True) -> str:
        """The page's address.

        Args:
            resource_identifier: the library asks for parts by it.
            only_if_exists: the same.
        """
        return self._page.absolute().as_uri()

    def clean_site(self) -> None:
        """Removes the page."""
        self._page.unlink(missing_ok=True)


def status_of(check: CheckResult) -> str:
    """``Passed``, ``Warning`` or ``Failed``: a broken contract of severity ``warning`` does not fail.

    Args:
        check: the result.
    """
    return PASSED if check.success else WARNING if check.contract.severity == "warning" else FAILED


def render_page(name: str, suites: Mapping[str, Sequence[CheckResult]]) -> str:
    """The page as HTML.

    Args:
        name: what it is about.
        suites: by split, the results of its contracts.
    """
    known = [split for split in (FILES, *SPLITS) if split in suites]
    splits = [*known, *sorted(suites.keys() - set(known))]
    checks = [check for split in splits for check in suites[split]]
    counts = {status: sum(status_of(check) == status for check in checks) for status in (FAILED, WARNING, PASSED)}
    title = f"Data contracts of {name}" if name else "Data contracts"
    links = "".join(f'<a href="#{escape(split)}">{escape(split)}</a>' for split in splits)
    told = f"{counts[FAILED]} failed, {counts[WARNING]} with a warning, {counts[PASSED]} passed"
    body = "".join(_render_split(split, suites[split]) for split in splits)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>\n'
        f"<body><h1>{escape(title)}</h1>\n<p>{len(checks)} contracts, checked by Great Expectations on DuckDB: {told}.</p>\n"
        f"<nav>{links}</nav>\n{body}</body></html>\n"
    )


def _render_split(split: str, checks: Sequence[CheckResult]) -> str:
    order = {FAILED: 0, WARNING: 1, PASSED: 2}
    rows = "".join(map(_render_check, sorted(checks, key=lambda check: order[status_of(check)])))
    checked = max((check.checked for check in checks), default=0)
    head = "".join(f"<th>{name}</th>" for name in ("Status", "Contract", "Severity", "Expected", "Found"))
    return (
        f'<h2 id="{escape(split)}">{escape(split)} <small>{_count(checked, split)}</small></h2>\n'
        f"<table><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table>\n"
    )


def _render_check(check: CheckResult) -> str:
    contract, status = check.contract, status_of(check)
    offenders = [line for example in check.examples for line in example.split("\n")]
    if check.num_untold and offenders:
        offenders.append(f"… and {check.num_untold:,} more")
    shown = f'<tr><td></td><td colspan="4"><pre>{escape(chr(10).join(offenders))}</pre></td></tr>\n' if offenders else ""
    return (
        f'<tr><td><span class="status {status}">{status}</span></td><td>{escape(contract.name)}</td>'
        f"<td>{contract.severity}</td><td>{escape(contract.statement)}</td>"
        f'<td class="found">{escape(_found(check))}</td></tr>\n{shown}'
    )


def _found(check: CheckResult) -> str:
    """What was found, such as ``290 of 1,000,000 rows (0.029 %)``."""
    if check.observed:
        return check.observed
    of_all = _count(check.checked, check.contract.split)
    if check.contract.bounds_row_count:
        return of_all
    share = f" ({100 * check.fraction:.2g} %)" if check.unexpected and check.contract.split != FILES else ""
    return f"{check.unexpected:,} of {of_all}{share}"


def _count(number: int, split: str) -> str:
    noun = "file" if split == FILES else "row"
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
