"""What is said between us and a provider, in nobody's dialect; assistant/provider.py knows OpenAI's."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from assistant.tools import Tool


@dataclass(frozen=True)
class ToolCall:
    id: str
    name: str
    #: JSON as the model wrote it, which may be none.
    arguments: str


@dataclass(frozen=True)
class Turn:
    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    #: The calls of an assistant's turn.
    calls: Sequence[ToolCall] = ()
    #: In a tool's turn: the id of the call that it answers.
    call_id: str = ""


@dataclass(frozen=True)
class Prompt:
    """One call to the provider."""

    turns: Sequence[Turn]
    tools: Sequence["Tool"] = ()
    #: Whether it may ask for tools once more; that there are some is told at any rate, since they were used.
    may_call: bool = True
    #: A digest that stands for the user, by which a provider may tell its users' users apart.
    user: str = ""


@dataclass
class Completion:
    """What the provider answered, or has so far."""

    text: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    #: "stop", "length", "content_filter", …; empty where it did not say so, which is a failure.
    finish: str = ""
    #: As the server counted, if it does.
    tokens_in: int | None = None
    tokens_out: int | None = None


def estimate_tokens(text: str) -> int:
    """Rather too many than too few, for any language and model: a third of the bytes, and four a message."""
    return len(text.encode("utf-8", "replace")) // 3 + 4
