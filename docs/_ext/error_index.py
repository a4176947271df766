"""The directives ``error-tree`` and ``error-index``: every message of limen, read from its source by the build."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby, product
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

OPEN, CLOSE = "\u2039", "\u203a"
MOST_VARIANTS = 6


class Message(NamedTuple):
    """One message as the source builds it, with the names of what it will show in angle quotes."""

    kind: str
    module: str
    text: str
    line: int


@dataclass
class Scope:
    """A function (or module): what its names were given, and which local functions return text."""

    functions: dict[str, ast.FunctionDef]
    constants: dict[str, list[ast.expr]]
    assigned: dict[str, list[ast.expr]] = field(default_factory=dict)
    appended: dict[str, list[ast.expr]] = field(default_factory=dict)
    depth: int = 0
    open_names: set[str] = field(default_factory=set)

    @classmethod
    def of(
        cls,
        body: ast.AST,
        functions: dict[str, ast.FunctionDef],
        constants: dict[str, list[ast.expr]],
        depth: int = 0,
    ) -> Scope:
        """Return the scope of a function's body."""
        scope = cls(functions, constants, depth=depth)
        for node in ast.walk(body):
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                target = node.targets[0]
                pairs = [(target, node.value)]
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = list(zip(target.elts, node.value.elts, strict=True))
                for name, value in pairs:
                    if isinstance(name, ast.Name):
                        scope.assigned.setdefault(name.id, []).append(value)
            elif (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "append"
                and isinstance(node.func.value, ast.Name)
            ):
                scope.appended.setdefault(node.func.value.id, []).append(node.args[0])
        return scope

    def variants(self, node: ast.expr) -> list[str]:
        """Return the texts that an expression can build, at most a few."""
        return list(dict.fromkeys(self._variants(node)))[:MOST_VARIANTS]

    def _variants(self, node: ast.expr) -> list[str]:
        if isinstance(node, ast.Constant):
            return [str(node.value)]
        if isinstance(node, ast.JoinedStr):
            return self._joined([self._part(value) for value in node.values])
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and is_text(node):
            return self._joined([self._variants(node.left), self._variants(node.right)])
        if isinstance(node, ast.IfExp):
            return self._variants(node.body) + self._variants(node.orelse)
        if isinstance(node, ast.BoolOp):
            return self._variants(node.values[0])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and self.depth < 3:
            function = self.functions.get(node.func.id)
            if function is not None:
                inner = Scope.of(function, self.functions, self.constants, self.depth + 1)
                returns = [
                    n.value for n in ast.walk(function) if isinstance(n, ast.Return) and n.value is not None
                ]
                found = [text for value in returns for text in inner._variants(value)]
                return found if any(OPEN not in text or len(text) > 30 for text in found) else [placeholder(node)]
        if isinstance(node, ast.Name):
            values = self.assigned.get(node.id) or self.constants.get(node.id, [])
            texts = [value for value in values if is_text(value)]
            if texts and node.id not in self.open_names:
                self.open_names.add(node.id)
                found = [text for value in texts for text in self._variants(value)]
                self.open_names.discard(node.id)
                return found
        return [placeholder(node)]

    def _part(self, node: ast.expr) -> list[str]:
        if not isinstance(node, ast.FormattedValue):
            return self._variants(node)
        inner = node.value
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and inner.func.attr == "join":
            name = inner.args[0]
            if isinstance(name, ast.Name) and name.id in self.appended:
                return [text for value in self.appended[name.id] for text in self._variants(value)]
        texts = self._variants(inner)
        return [f"'{text}'" for text in texts] if node.conversion == ord("r") and len(texts) == 1 else texts

    @staticmethod
    def _joined(parts: list[list[str]]) -> list[str]:
        parts = [list(dict.fromkeys(part))[:MOST_VARIANTS] for part in parts]
        while len(parts) > 1 and math.prod(map(len, parts)) > MOST_VARIANTS:
            widest = max(range(len(parts)), key=lambda k: len(parts[k]))
            parts[widest] = [" / ".join(part for part in parts[widest] if part)]
        return ["".join(choice) for choice in product(*parts)]


def is_text(node: ast.expr) -> bool:
    """Return whether an expression is written-out text, or chooses between such."""
    if isinstance(node, ast.IfExp):
        return is_text(node.body) and is_text(node.orelse)
    if isinstance(node, ast.BinOp):
        return is_text(node.left) or is_text(node.right)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def placeholder(node: ast.expr) -> str:
    """Return a short name, in angle quotes, for what an expression will show."""
    return OPEN + _name(node) + CLOSE


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return "…" if len(node.id) < 2 else node.id.strip("_").lower()
    if isinstance(node, ast.Attribute):
        return node.attr.strip("_")
    if isinstance(node, ast.Subscript):
        whole = _name(node.value)
        if whole == "shape":
            return "number"
        one = not isinstance(node.slice, ast.Slice) and len(whole) > 3 and not whole.endswith("ss")
        return whole.removesuffix("s") if one else whole
    if isinstance(node, ast.Starred):
        return _name(node.value)
    if isinstance(node, ast.BinOp):
        return _name(node.left)
    if isinstance(node, ast.Call):
        called = _name(node.func)
        if called == "count" and len(node.args) == 2:
            return f"number of {node.args[1].value}s" if isinstance(node.args[1], ast.Constant) else "number"
        if called == "examples":
            return "names"
        if called == "len":
            return "number"
        if called in ("sum", "max", "min", "int", "float", "str", "tuple", "sorted", "type", "round"):
            return _name(node.args[0]) if node.args else "…"
        if called in ("join", "map") and node.args:
            return _name(node.args[-1])
        return called
    if isinstance(node, ast.GeneratorExp | ast.ListComp | ast.SetComp):
        return _name(node.generators[0].iter)
    return "…"


def _identifier(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def exceptions(trees: dict[str, ast.Module]) -> dict[str, list[str]]:
    """Return the bases of each exception and warning of limen, by name."""
    found: dict[str, list[str]] = {"LimenWarning": ["UserWarning"], "LimenError": ["Exception"]}
    classes = [node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    for _ in range(3):
        for node in classes:
            bases = [_identifier(base) for base in node.bases]
            if any(base in found for base in bases):
                found[node.name] = bases
    return found


def messages(package: Path) -> list[Message]:
    """Return every message that the source of limen gives with an exception or a warning."""
    trees = {
        ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__"): ast.parse(
            path.read_text(encoding="utf-8")
        )
        for path in sorted(package.rglob("*.py"))
    }
    kinds = exceptions(trees)
    found = [message for module, tree in trees.items() for message in _of_module(module, tree, kinds)]
    seen: set[tuple[str, str, str]] = set()
    return [m for m in found if (key := (m.kind, m.module, m.text)) not in seen and not seen.add(key)]  # type: ignore[func-returns-value]


def _of_module(module: str, tree: ast.Module, kinds: dict[str, list[str]]) -> Iterator[Message]:
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    constants: dict[str, list[ast.expr]] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            constants[node.targets[0].id] = [node.value]
    for body, call in _calls(tree, tree):
        kind = _identifier(call.func)
        if kind == "warn":
            kind = next((name for name in map(_identifier, call.args[1:]) if name in kinds), "")
        if kind not in kinds or not call.args:
            continue
        for text in Scope.of(body, functions, constants).variants(call.args[0]):
            # What only passes another message on has no words of its own.
            if len(re.sub(f"{OPEN}[^{CLOSE}]*{CLOSE}", "", text)) > 8:
                yield Message(kind, module, re.sub(r"\s+", " ", text).strip(), call.lineno)


def _calls(node: ast.AST, body: ast.AST) -> Iterator[tuple[ast.AST, ast.Call]]:
    """Return every call, with the innermost function it stands in."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield body, child
        inside = child if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else body
        yield from _calls(child, inside)


class ErrorTree(SphinxDirective):
    """The exceptions as a nested list, with what each means."""

    def run(self) -> list[nodes.Node]:
        """Return the list."""
        from limen import errors

        def branch(kind: type) -> nodes.bullet_list:
            listed = nodes.bullet_list()
            for child in (errors.LimenError,) if kind is object else kind.__subclasses__():
                if child.__module__ != "limen.errors":
                    continue
                paragraph = nodes.paragraph()
                paragraph += nodes.literal("", child.__name__)
                beyond = [base.__name__ for base in child.__bases__ if not issubclass(base, errors.LimenError)]
                if beyond and beyond != ["Exception"]:
                    paragraph += [nodes.Text(" (also a "), nodes.literal("", beyond[0]), nodes.Text(")")]
                paragraph += nodes.Text(": " + (child.__doc__ or "").strip())
                item = nodes.list_item("", paragraph)
                below = branch(child)
                if below.children:
                    item += below
                listed += item
            return listed

        return [branch(object)]


class ErrorIndex(SphinxDirective):
    """All messages, by exception and module, with a field that finds the one that was pasted into it."""

    def run(self) -> list[nodes.Node]:
        """Return the field and the sections."""
        import limen

        package = Path(limen.__file__).parent
        for path in package.rglob("*.py"):
            self.env.note_dependency(str(path))
        found = messages(package)
        if len(found) < 100:
            raise self.error(f"only {len(found)} messages were found in {package}: the reader is broken")
        field_ = nodes.raw(
            "",
            '<p><input id="find-error" type="search" placeholder="Paste a message, or words of it" '
            'aria-label="Find a message"> <span id="found-errors" role="status"></span></p>',
            format="html",
        )
        total = nodes.paragraph("", f"{len(found)} messages.")
        sections: list[nodes.Node] = [total, field_]
        for kind, of_kind in groupby(
            sorted(found, key=lambda m: (m.kind, m.module, m.line)), key=lambda m: m.kind
        ):
            section = nodes.section(ids=[f"messages-{kind.lower()}"], names=[f"messages {kind}".lower()])
            section += nodes.title("", "", nodes.literal("", kind))
            for module, of_module in groupby(of_kind, key=lambda m: m.module):
                section += nodes.rubric("", "", nodes.literal("", module))
                listed = nodes.bullet_list(classes=["messages"])
                for message in of_module:
                    listed += nodes.list_item("", nodes.paragraph("", "", *_marked(message.text)))
                section += listed
            sections.append(section)
        return sections


def _marked(text: str) -> Iterator[nodes.Node]:
    for part in re.split(f"({OPEN}[^{CLOSE}]*{CLOSE})", text):
        yield nodes.emphasis("", part[1:-1]) if part.startswith(OPEN) else nodes.Text(part)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives, and the script of the field."""
    app.add_directive("error-tree", ErrorTree)
    app.add_directive("error-index", ErrorIndex)
    app.add_js_file("find_error.js")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
