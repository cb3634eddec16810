"""What the assistant can do for whoever asks it, beside talking.

A tool takes the asker from the reply's row, never from the model, and calls the services that the API calls.
Modules add theirs to TOOLS; assistant/apps.py imports them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from accounts.models import User
from assistant.models import Reply

Arguments = Mapping[str, Any]


class ToolError(Exception):
    """Raised by a tool; the model is given the sentence, in the place of a result."""


@dataclass(frozen=True)
class Tool:
    #: As the model calls it.
    name: str
    #: What the model is told of it.
    description: str
    #: JSON Schema of its arguments, an object; it is not relied on, so `function` checks them itself.
    parameters: Mapping[str, Any]
    #: Called as function(asker, arguments), in the transaction that stores the step; its result becomes JSON.
    #: A DomainError or a ValidationError of the services, and a ToolError, go to the model as they are.
    function: Callable[["Call", Arguments], Any]
    #: Whether it changes something; then it is withheld once others' words are in the context.
    changes: bool = False
    #: Whether its result may hold what others have written.
    shows_others_words: bool = False
    #: Whether it stays in reach even then.
    always: bool = False
    #: Whether it is offered to this asker at all.
    offered: Callable[[User], bool] = field(default=lambda asker: True)


@dataclass(frozen=True)
class Call:
    """On whose behalf a tool works, and for which reply."""

    asker: User
    reply: Reply


TOOLS: dict[str, Tool] = {}


def add_tool(tool: Tool) -> None:
    TOOLS[tool.name] = tool
