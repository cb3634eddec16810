"""The tools that the model can call.

A tool acts as the user who asked. It takes the user from the reply's row, never from the model, and calls the
services that the API calls. Each module of this package adds its tools with `add_tool` (docs/assistant.md).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Literal, NotRequired, TypedDict

from accounts.models import User
from assistant.models import Reply

#: JSON, in the form that each tool has.
Arguments = Mapping[str, Any]
Result = Mapping[str, Any]


class Parameters(TypedDict):
    """The JSON Schema of a tool's arguments."""

    type: Literal["object"]
    properties: Mapping[str, Mapping[str, object]]
    required: NotRequired[Sequence[str]]


class ToolError(Exception):
    """Raised by a tool. The model gets the message in place of a result."""


@dataclass(frozen=True)
class Call:
    """The user for whom a tool works, and the reply that it is a part of."""

    asker: User
    reply: Reply
    #: Whether the model has read other people's words. A tool with `always` must not use its text then.
    tainted: bool = False


def to_everybody(call: Call) -> bool:
    return True


def nothing_of_others(result: Result) -> bool:
    return False


@dataclass(frozen=True)
class Tool:
    name: str
    #: For the model.
    description: str
    #: Arguments are validated against it before the call.
    parameters: Parameters
    #: Returns JSON. The model gets the messages of DomainError, ValidationError and ToolError.
    function: Callable[[Call, Arguments], Result]
    #: Whether it changes something. It then runs in the transaction that stores the step, and is refused once
    #: the model has read other people's words.
    changes: bool = False
    #: Whether a result contains other people's words.
    shows_others_words: Callable[[Result], bool] = nothing_of_others
    #: Whether it is allowed even then.
    always: bool = False
    #: Whether the model may call it in this reply.
    offered: Callable[[Call], bool] = to_everybody


TOOLS: dict[str, Tool] = {}


def add_tool(tool: Tool) -> None:
    TOOLS[tool.name] = tool


def load_tools() -> None:
    # Each module adds its tools when it is imported.
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
