"""Puts a mutant in the place of what it was made from, in a process that has everything loaded."""

import ast
import gc
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from tools.mutants.making import Mutant


class Misapplied(Exception):
    """The mutant could not be put in place, so that nothing is known about it."""


def module_of(path: str) -> ModuleType:
    return import_module(path.removesuffix(".py").replace("/", "."))


def apply(mutant: Mutant) -> None:
    """Raises whatever the mutant raises where it is nothing that Python would import."""
    module = module_of(mutant.path)
    if mutant.function is None:
        names = _assign(module, ast.parse(mutant.source), mutant.statement)
        _assign_anew(module, mutant, names)
        return
    new = _code_of(compile(mutant.source, module.__file__ or "", "exec"), mutant.function)
    functions = live_functions().get((module.__file__ or "", mutant.function), [])
    if not functions:
        raise Misapplied("no such function is in use")
    for function in functions:
        # A mutant without its super() has lost the class that goes with it.
        free = function.__code__.co_freevars
        try:
            function.__code__ = new if new.co_freevars == free else new.replace(co_freevars=free)
        except ValueError as error:
            raise Misapplied(str(error)) from error
        _set_defaults(function, mutant, vars(module))
    _assign_anew(module, mutant, {mutant.function.split(".")[0]})


@cache
def live_functions() -> dict[tuple[str, str], list[FunctionType]]:
    """(file, qualified name) → what was made of that definition, also inside of whatever decorates it."""
    found: dict[tuple[str, str], list[FunctionType]] = {}
    for thing in gc.get_objects():
        if type(thing) is FunctionType:  # isinstance() asks what a weak reference leads to, which may be gone
            found.setdefault((thing.__code__.co_filename, thing.__code__.co_qualname), []).append(thing)
    return found


def _code_of(code: CodeType, name: str) -> CodeType:
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    for one in inner:
        if one.co_qualname == name:
            return one
    return next(_code_of(one, name) for one in inner if name.startswith(f"{one.co_qualname}."))


def _set_defaults(function: FunctionType, mutant: Mutant, names: dict[str, Any]) -> None:
    before = _definition(Path(mutant.path).read_text(), mutant.statement)
    after = _definition(mutant.source, mutant.statement)
    if ast.dump(before.args) == ast.dump(after.args):
        return

    def value(node: ast.expr) -> Any:
        return eval(compile(ast.Expression(node), mutant.path, "eval"), names)  # noqa: S307

    function.__defaults__ = tuple(value(node) for node in after.args.defaults)
    by_name = zip(after.args.kwonlyargs, after.args.kw_defaults, strict=True)
    function.__kwdefaults__ = {argument.arg: value(node) for argument, node in by_name if node is not None}


def _definition(source: str, statement: tuple[int, ...]) -> Any:
    node: Any = ast.parse(source)
    for place in statement:
        node = node.body[place]
    return node


def _assign(module: ModuleType, tree: ast.Module, statement: tuple[int, ...]) -> set[str]:
    """Runs one assignment anew, and gives its value to whoever imported the former; returns the names."""
    owner: Any = module
    node: Any = tree
    for depth, place in enumerate(statement):
        node = node.body[place]
        if depth < len(statement) - 1:
            owner = getattr(owner, node.name)
    names = _Names(vars(owner))
    exec(compile(ast.Module([node], type_ignores=[]), module.__file__ or "", "exec"), vars(module), names)  # noqa: S102
    for name, value in names.made.items():
        former = getattr(owner, name)
        setattr(owner, name, value)
        if owner is module:
            for other in list(sys.modules.values()):
                if name in vars(other) and vars(other)[name] is former:
                    setattr(other, name, value)
    return set(names.made)


class _Names(dict[str, Any]):
    """What an assignment sees around it, and what it makes."""

    def __init__(self, around: Mapping[str, Any]) -> None:
        super().__init__(around)
        self.made: dict[str, Any] = {}

    def __setitem__(self, name: str, value: Any) -> None:
        self.made[name] = value


def _assign_anew(module: ModuleType, mutant: Mutant, names: set[str]) -> None:
    """Runs the later assignments of the module that make use of `names`, as an import of it would."""
    tree = ast.parse(mutant.source)
    for place, outer in enumerate(tree.body):
        units = [((place,), outer)]
        if isinstance(outer, ast.ClassDef):
            units = [((place, inner), node) for inner, node in enumerate(outer.body)]
        for where, node in units:
            uses = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
            if (
                isinstance(node, ast.Assign | ast.AnnAssign)
                and node.value
                and where > mutant.statement
                and uses & names
            ):
                names = names | _assign(module, tree, where)
