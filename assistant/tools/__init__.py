"""What the assistant can do for a user, besides talking.

A tool acts as the user who asked, taken from the reply's row and never from what the model says, and calls
the services that the API calls. Each module in this folder adds its own with `add_tool`; docs/assistant.md
shows how.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from accounts.models import User
from assistant.models import Reply

Arguments = Mapping[str, Any]


class ToolError(Exception):
    """Raised by a tool. The model reads the sentence where it would have read a result."""


@dataclass(frozen=True)
class Call:
    """The user that a tool works for, and the reply that it is part of."""

    asker: User
    reply: Reply
    #: Whether the model has read what others wrote; a tool with `always` must not pass on its words then.
    tainted: bool = False


def to_everybody(call: Call) -> bool:
    return True


def nothing_of_others(result: object) -> bool:
    return False


@dataclass(frozen=True)
class Tool:
    #: As the model calls it.
    name: str
    #: What the model is told about it.
    description: str
    #: JSON Schema of its arguments, an object. They are checked against it before the call.
    parameters: Mapping[str, Any]
    #: Returns what becomes JSON. DomainErrors, ValidationErrors and ToolErrors go to the model as sentences.
    function: Callable[[Call, Arguments], Any]
    #: Whether it changes something. It then runs in the transaction that stores the step, and is out of reach
    #: once the model has read what others wrote.
    changes: bool = False
    #: Whether a result may hold what others wrote.
    shows_others_words: Callable[[Any], bool] = nothing_of_others
    #: Whether a tool that changes something stays in reach even then.
    always: bool = False
    #: Whether it is offered for this call at all.
    offered: Callable[[Call], bool] = to_everybody


TOOLS: dict[str, Tool] = {}


def add_tool(tool: Tool) -> None:
    TOOLS[tool.name] = tool


def load_tools() -> None:
    """Imports every module of this folder, for those that add tools."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
