"""The meaning of a Python module: its syntax tree without comments, layout, docstrings, annotations and the order of imports."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

UNTYPED_BASES = frozenset({"ABC", "Exception", "Module", "NamedTuple", "Protocol", "TypedDict"})
"""Base classes that ignore the annotations of fields. Others may use them (pydantic validates by them)."""
MODULE_NAME = re.compile(r"[a-z_]\w*(\.[a-z_]\w*)+")
_IMPORTS = (ast.Import, ast.ImportFrom)
_WITHOUT_MEANING = frozenset({"ctx", "kind", "type_comment"})
"""Fields of nodes."""
CHECKS = frozenset({"model_validator", "field_validator", "field_serializer"})


@dataclass(frozen=True)
class ImportedName:
    """A name that a module binds by an import.

    Attributes:
        module: the module that it is imported from, absolute.
        name: its name there; empty if the module itself is imported.
        bound: its local name.
    """

    module: str
    name: str
    bound: str


@dataclass(frozen=True)
class ModuleMeaning:
    """The behaviour of a module, without everything that has no effect.

    Attributes:
        statements: the tree as nested lists of JSON's types; the same on every version of Python.
        imports: the imported names that it uses, sorted; imports that only annotations use are left out.
        names: string constants that may name modules, such as ``package.metrics``, sorted; parts are loaded by such names.
    """

    statements: list[object]
    imports: tuple[ImportedName, ...]
    names: tuple[str, ...]


def read_meaning(source: str, module: str, is_package: bool = False, has_settings: bool = False) -> ModuleMeaning:
    """The meaning of a module.

    Args:
        source: the module's text.
        module: its absolute name; relative imports start there.
        is_package: whether it is the ``__init__.py`` of a package.
        has_settings: whether it declares settings. If so, fields, bounds, checks and lists of choices are left out, because the
            values are digested elsewhere; methods stay.

    Raises:
        SyntaxError: the text is not valid Python.
    """
    tree = strip_tree(source, has_settings)
    package = module if is_package else module.rpartition(".")[0]
    reading = _Reading()
    imports: set[ImportedName] = set()
    at_top: set[ImportedName] = set()
    statements = []
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):  # the order at the top does not count
            at_top |= set(_imported_names(statement, package))
            continue
        plain = reading.plain(statement)
        if not isinstance(statement, ast.Pass):
            statements.append(plain)
    for node in reading.imports:  # what is imported in a branch or a function counts where it stands
        imports |= set(_imported_names(node, package))
    # What a package or * passes on is used elsewhere.
    imports |= {one for one in at_top if is_package or one.bound in reading.used or one.bound == "*"}
    return ModuleMeaning(
        statements,
        tuple(sorted(imports, key=lambda one: (one.module, one.name, one.bound))),
        tuple(sorted(text for text in reading.texts if MODULE_NAME.fullmatch(text))),
    )


def strip_tree(source: str, has_settings: bool = False) -> ast.Module:
    """The syntax tree of a module without what has no effect; the imports at its top are in it.

    Args:
        source: the module's text.
        has_settings: as in :func:`read_meaning`.

    Raises:
        SyntaxError: the text is not valid Python.
    """
    tree: ast.Module = _Stripper(has_settings).visit(ast.parse(source))
    return tree


class _Stripper(ast.NodeTransformer):
    """Removes what has no effect: docstrings, annotations, imports for type checking; and declarations of settings if asked."""

    def __init__(self, has_settings: bool) -> None:
        self.has_settings = has_settings

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [item for item in body if not _is_text(item)] or ([ast.Pass()] if not isinstance(node, ast.Module) else [])
        return node

    def visit(self, node: ast.AST) -> Any:
        """Leaves expressions alone, nine of ten nodes: nothing in them is without effect."""
        return node if isinstance(node, ast.expr) else super().visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        """Makes an annotated assignment outside a class a plain one."""
        self.generic_visit(node)
        return None if node.value is None else ast.copy_location(ast.Assign(targets=[node.target], value=node.value), node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        return None if self.has_settings and _is_list_of_choices(node.value) else self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        if _last_name(node.test) == "TYPE_CHECKING":
            return [self.visit(statement) for statement in node.orelse]
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        bases = {_last_name(base) for base in node.bases}
        if self.has_settings:
            node.body = [item for item in node.body if _is_behaviour(item)]
        fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
        if bases <= UNTYPED_BASES:  # annotations stay as markers: dataclasses tell fields, and their kinds, by them
            for item in fields:
                item.annotation = ast.Name(id=_last_name(item.annotation) if _is_marker(item.annotation) else "field")
        body = [self._keep_field(item) if isinstance(item, ast.AnnAssign) else self.visit(item) for item in node.body]
        node.body = [item for item in body if item is not None and not _is_text(item)] or [ast.Pass()]
        node.decorator_list = [self.visit(one) for one in node.decorator_list]
        return node

    def _keep_field(self, node: ast.AnnAssign) -> ast.AnnAssign:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node


def _imported_names(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[ImportedName]:
    """The names that an import binds."""
    if isinstance(node, ast.Import):
        for one in node.names:
            yield ImportedName(one.name, "", one.asname or one.name.partition(".")[0])
        return
    module = node.module or ""
    if node.level:
        above = package.split(".")
        module = ".".join([*above[: len(above) - node.level + 1], *([module] if module else [])])
    for one in node.names:
        yield ImportedName(module, "" if one.name == "*" else one.name, one.asname or one.name)


class _Reading:
    """Reads a tree once: as lists, strings and numbers, and notes what stands in it.

    Attributes:
        used: names of variables.
        texts: constants that are strings.
        imports: statements.
    """

    def __init__(self) -> None:
        self.used: set[str] = set()
        self.texts: set[str] = set()
        self.imports: list[ast.Import | ast.ImportFrom] = []

    def plain(self, node: ast.AST) -> object:
        """A node as lists of JSON's types; absent values are left out, so that all versions of Python agree."""
        kind = type(node)
        if kind is ast.Name:
            self.used.add(node.id)  # type: ignore[attr-defined]
        elif kind is ast.Constant:
            value = node.value  # type: ignore[attr-defined]
            if isinstance(value, str):
                self.texts.add(value)
            return ["Constant", type(value).__name__, repr(value)]
        elif kind is ast.Pass:
            return "Pass"
        elif kind in _IMPORTS:
            self.imports.append(node)  # type: ignore[arg-type]
        found: list[object] = [kind.__name__]
        for name in kind._fields:
            child = getattr(node, name, None)
            if child is None or name in _WITHOUT_MEANING:
                continue
            if isinstance(child, ast.AST):
                found.append([name, self.plain(child)])
            elif not isinstance(child, list):
                found.append([name, child])
            elif child:
                found.append([name, [self._item(one) for one in child if not isinstance(one, ast.Pass)]])
        return found

    def _item(self, item: object) -> object:
        return self.plain(item) if isinstance(item, ast.AST) else item


def _is_text(node: ast.AST) -> bool:
    """Whether a statement is a constant that does nothing, such as a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _last_name(node: ast.AST) -> str:
    """``Protocol`` of ``Protocol``, ``typing.Protocol`` and ``Protocol[T]``."""
    if isinstance(node, ast.Subscript):
        return _last_name(node.value)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _is_marker(annotation: ast.expr) -> bool:
    return _last_name(annotation) in ("ClassVar", "InitVar", "KW_ONLY")


def _is_list_of_choices(value: ast.expr) -> bool:
    return isinstance(value, ast.Subscript) and _last_name(value) in ("Literal", "Annotated")


def _is_behaviour(item: ast.stmt) -> bool:
    """Whether a statement of a settings class is a method or property that code calls, not a field or a check."""
    if not isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    callees = (one.func if isinstance(one, ast.Call) else one for one in item.decorator_list)
    return not any(_last_name(callee) in CHECKS for callee in callees)
