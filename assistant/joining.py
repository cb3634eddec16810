"""Tool calls as servers hand them out, whole or in pieces, made into calls that can be worked with.

Servers that speak OpenAI's dialect differ: all calls carry index 0, or none; ids are left out, repeated in
each piece, or come late; arguments are an object instead of its JSON.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from assistant.turns import ToolCall


@dataclass
class _Piece:
    index: int | None
    id: str
    name: str
    arguments: str


@dataclass
class _Growing:
    index: int | None
    id: str = ""
    name: str = ""
    arguments: str = ""

    def is_whole(self) -> bool:
        """Whether its arguments are complete, so that what follows can only be another call's."""
        try:
            return isinstance(json.loads(self.arguments), dict)
        except ValueError:
            return False


class CallJoiner:
    def __init__(self) -> None:
        self._calls: list[_Growing] = []

    def add(self, pieces: Iterable[Any] | None) -> None:
        """Takes the `tool_calls` of a message, or of one chunk of a stream."""
        for raw in pieces or ():
            piece = _read(raw)
            call = self._find(piece)
            if call is None:
                call = _Growing(piece.index)
                self._calls.append(call)
            call.id = call.id or piece.id
            call.name = call.name or piece.name
            call.arguments += piece.arguments

    def take(self, other: "CallJoiner") -> None:
        """Adds the calls of another, which are not these."""
        self._calls += other._calls

    def _find(self, piece: _Piece) -> _Growing | None:
        """The call that a piece goes on with, None where it begins one."""
        if piece.id:
            for call in self._calls:
                if call.id == piece.id:
                    return call
        same = [call for call in self._calls if call.index == piece.index]
        if not same:
            return None
        last = same[-1]
        if piece.id:
            # An id that was not seen before: another call, or one whose id comes late.
            return None if last.id or (piece.name and last.is_whole()) else last
        if piece.name and last.name and (piece.name != last.name or last.is_whole()):
            return None
        return last

    def calls(self) -> list[ToolCall]:
        """All of them, in the order in which they began, each with an id of its own."""
        taken: set[str] = set()
        found = []
        for number, call in enumerate(self._calls, start=1):
            id = call.id if call.id and call.id not in taken else f"call_{number}"
            taken.add(id)
            found.append(ToolCall(id, call.name, call.arguments or "{}"))
        return found


def _read(raw: object) -> _Piece:
    function = _get(raw, "function")
    index = _get(raw, "index")
    return _Piece(
        index if type(index) is int else None,
        _text(_get(raw, "id")),
        _text(_get(function, "name")),
        _arguments(_get(function, "arguments")),
    )


def _get(thing: object, name: str) -> Any:
    return thing.get(name) if isinstance(thing, dict) else getattr(thing, name, None)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _arguments(value: object) -> str:
    if isinstance(value, dict):
        return json.dumps(value)
    return _text(value)
