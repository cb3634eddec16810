"""Mutants: a module's text with one small thing about it changed, as a mistake would.

The operators are mutmut's. mutmut itself leaves decorated functions alone, and all that stands outside of
functions: here that is most of the services, and every limit and prepared query. So only its operators are
taken, with two more that matter here: a condition turned round, and a call or `raise` that is missing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators


@dataclass(frozen=True)
class Mutant:
    path: str
    source: str
    lines: range
    #: The outermost function that is mutated, `Class.method`, or None for what runs at import.
    function: str | None
    #: Where in the module, and then in its class, that which runs at import stands.
    statement: tuple[int, ...] = ()

    def diff(self) -> str:
        before, after = Path(self.path).read_text().splitlines(), self.source.splitlines()
        changed = list(unified_diff(before, after, lineterm="", n=0))[2:]
        return "\n".join(
            f"  {self.path}:{self.lines.start} {changed[0]}" if i == 0 else f"    {line}"
            for i, line in enumerate(changed)
        )


def _negated(node: cst.If) -> Iterator[cst.If]:
    if isinstance(node.test, cst.UnaryOperation) and isinstance(node.test.operator, cst.Not):
        return  # mutmut takes the `not` away
    inner = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    yield node.with_changes(test=cst.UnaryOperation(operator=cst.Not(), expression=inner))


def _missing(node: cst.SimpleStatementLine) -> Iterator[cst.SimpleStatementLine]:
    (first, *more) = node.body
    if not more and (
        isinstance(first, cst.Raise) or (isinstance(first, cst.Expr) and isinstance(first.value, cst.Call))
    ):
        yield node.with_changes(body=[cst.Pass()])


OPERATORS = [*mutation_operators, (cst.If, _negated), (cst.SimpleStatementLine, _missing)]


def mutants_of(path: str) -> list[Mutant]:
    """Every mutant of the module at `path`, in the order of its lines."""
    text = Path(path).read_text()
    wrapper = MetadataWrapper(cst.parse_module(text))
    positions = wrapper.resolve(PositionProvider)
    found: dict[str, Mutant] = {text: Mutant(path, text, range(0), None)}

    def span(node: cst.CSTNode) -> range:
        return range(positions[node].start.line, positions[node].end.line + 1)

    def visit(node: cst.CSTNode, around: range, unit: _Unit) -> None:
        if isinstance(node, cst.SimpleStatementLine):
            around = span(node)
        lines = around if len(around) else range(span(node).start, span(node).start + 1)
        for kind, operator in OPERATORS:
            if isinstance(node, kind):
                for changed in operator(node):
                    source = unit.exchanged(node, changed)
                    if _compiles(source):
                        found.setdefault(source, Mutant(path, source, lines, unit.function, unit.where))
        for child in node.children:
            # Types are nothing that runs, and decorators run once, long before.
            if not isinstance(child, cst.Annotation | cst.Decorator):
                visit(child, around, unit)

    for unit in _units(wrapper.module):
        visit(unit.node, range(0), unit)
    del found[text]
    return sorted(found.values(), key=lambda mutant: mutant.lines.start)


@dataclass(frozen=True)
class _Unit:
    """What can be exchanged in a module that is loaded: a function, a method or an assignment."""

    module: cst.Module
    node: Any
    where: tuple[int, ...]
    function: str | None
    #: The module's text around it, or around its class.
    before: str
    after: str
    owner: cst.ClassDef | None = None

    def exchanged(self, node: cst.CSTNode, changed: cst.CSTNode) -> str:
        """The module's text with `changed` for `node`."""
        # Only this much of the tree is made anew: for all of it the mutants would take minutes.
        new = self.node.deep_replace(node, changed)
        if self.owner is not None:
            body = list(self.owner.body.body)
            body[self.where[1]] = new
            new = self.owner.with_changes(body=self.owner.body.with_changes(body=body))
        return self.before + self.module.code_for_node(new) + self.after


def _units(module: cst.Module) -> Iterator[_Unit]:
    texts = [module.code_for_node(node) for node in module.body]
    head = "".join(module.code_for_node(line) for line in module.header)
    tail = "".join(module.code_for_node(line) for line in module.footer)
    for place, outer in enumerate(module.body):
        around = head + "".join(texts[:place]), "".join(texts[place + 1 :]) + tail
        if isinstance(outer, cst.ClassDef):
            for inner_place, inner in enumerate(outer.body.body):
                if _can_be_exchanged(inner):
                    name = (
                        f"{outer.name.value}.{inner.name.value}"
                        if isinstance(inner, cst.FunctionDef)
                        else None
                    )
                    yield _Unit(module, inner, (place, inner_place), name, *around, outer)
        elif _can_be_exchanged(outer):
            name = outer.name.value if isinstance(outer, cst.FunctionDef) else None
            yield _Unit(module, outer, (place,), name, *around)


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _can_be_exchanged(node: cst.CSTNode) -> bool:
    if isinstance(node, cst.SimpleStatementLine):
        return isinstance(node.body[0], cst.Assign | cst.AnnAssign)
    return isinstance(node, cst.FunctionDef)
