"""Who writes which kind of mail. Apps register their own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aimessage.mail.models import Mail


@dataclass(frozen=True)
class Draft:
    """Whom a mail goes to, and what its templates show."""

    to: str
    facts: Mapping[str, object] = field(default_factory=dict)


#: Called in a transaction. None: nothing is to be sent.
Writer = Callable[[Mail], Draft | None]
_writers: dict[str, Writer] = {}


def writes(*kinds: str) -> Callable[[Writer], Writer]:
    """The decorated function writes mails of these kinds, with the templates of the same names."""

    def register(writer: Writer) -> Writer:
        _writers.update(dict.fromkeys(kinds, writer))
        return writer

    return register


def known_kinds() -> list[str]:
    return sorted(_writers)


def writer_of(kind: str) -> Writer | None:
    return _writers.get(kind)
