"""Prompts and completions in a form that is independent of the provider; provider.py translates them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from assistant.tools import Tool


@dataclass(frozen=True)
class ToolCall:
    id: str
    name: str
    #: JSON as the model wrote it, which may be invalid.
    arguments: str


@dataclass(frozen=True)
class Turn:
    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    #: The calls of an assistant's turn.
    calls: Sequence[ToolCall] = ()
    #: In a tool's turn, the id of the call that it answers.
    call_id: str = ""


@dataclass(frozen=True)
class Prompt:
    """One call to the provider."""

    turns: Sequence[Turn]
    tools: Sequence["Tool"] = ()
    #: Whether the model may call tools. They are listed in any case, since earlier turns used them.
    may_call: bool = True
    #: A digest of the user's id, so that a provider can tell our users apart.
    user: str = ""


@dataclass
class Completion:
    """The provider's answer, perhaps not complete yet."""

    text: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    #: "stop", "length", "content_filter", …; a stream that ends without it has failed.
    finish: str = ""
    #: The server's counts; None if it does not count.
    tokens_in: int | None = None
    tokens_out: int | None = None


def estimate_tokens(text: str) -> int:
    # Rather too many than too few for any language and model: a third of the bytes, and four per message.
    return len(text.encode("utf-8", "replace")) // 3 + 4
