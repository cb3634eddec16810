"""Puts a mutant in the place of what it was made from, in a process that has everything loaded."""

import ast
import gc
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from tests.mutants.making import Mutant


class Misapplied(Exception):
    """The mutant could not be put in place, so that nothing is known about it."""


def apply(mutant: Mutant) -> None:
    """Raises whatever the mutant raises where it is nothing that Python would import."""
    module = import_module(mutant.path.removesuffix(".py").replace("/", "."))
    if mutant.function is None:
        _assign(module, mutant)
        return
    new = _code_of(compile(mutant.source, module.__file__ or "", "exec"), mutant.function)
    functions = live_functions(module.__file__ or "", mutant.function)
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


@cache
def live_functions(file: str, name: str) -> list[FunctionType]:
    """Those that were made of this definition, also inside of whatever decorates them."""
    everything = (thing for thing in gc.get_objects() if isinstance(thing, FunctionType))
    return [it for it in everything if it.__code__.co_filename == file and it.__code__.co_qualname == name]


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


def _assign(module: ModuleType, mutant: Mutant) -> None:
    """Runs the one assignment anew, and gives its value to whoever imported the former."""
    owner: Any = module
    node: Any = ast.parse(mutant.source)
    for depth, place in enumerate(mutant.statement):
        node = node.body[place]
        if depth < len(mutant.statement) - 1:
            owner = getattr(owner, node.name)
    made: dict[str, Any] = {}
    statement = ast.Module([node], type_ignores=[])
    exec(compile(statement, module.__file__ or "", "exec"), {**vars(module), **made}, made)  # noqa: S102
    for name, value in made.items():
        former = getattr(owner, name)
        setattr(owner, name, value)
        if owner is module:
            for other in list(sys.modules.values()):
                if vars(other).get(name) is former:
                    setattr(other, name, value)
