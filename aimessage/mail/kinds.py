"""The registry of functions that write mails, by kind. Apps register their own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aimessage.mail.models import Mail


@dataclass(frozen=True)
class Draft:
    """The recipient of a mail, and the values that its templates show."""

    to: str
    facts: Mapping[str, object] = field(default_factory=dict)


#: Called in a transaction. It returns None if the mail must not be sent any more.
Writer = Callable[[Mail], Draft | None]
_writers: dict[str, Writer] = {}


def writes(*kinds: str) -> Callable[[Writer], Writer]:
    # The templates of a kind have its name.

    def register(writer: Writer) -> Writer:
        _writers.update(dict.fromkeys(kinds, writer))
        return writer

    return register


def known_kinds() -> list[str]:
    return sorted(_writers)


def writer_of(kind: str) -> Writer | None:
    return _writers.get(kind)
