"""Joins the pieces of tool calls that servers stream.

Servers that speak OpenAI's dialect differ: all calls have index 0, or none; ids are missing, repeated in each
piece, or come late; arguments are an object instead of JSON text.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

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
        # Once the arguments are valid JSON, a further piece belongs to another call.
        try:
            return isinstance(json.loads(self.arguments), dict)
        except ValueError:
            return False


class CallJoiner:
    def __init__(self) -> None:
        self._calls: list[_Growing] = []

    def add(self, pieces: Iterable[object] | None) -> None:
        for raw in pieces or ():
            piece = _read(raw)
            call = self._continued_by(piece)
            if call is None:
                call = _Growing(piece.index)
                self._calls.append(call)
            call.id = call.id or piece.id
            call.name = call.name or piece.name
            call.arguments += piece.arguments

    def add_whole(self, raw: object) -> None:
        """Adds a complete call, which is never a part of another one, whatever its id."""
        piece = _read(raw)
        self._calls.append(_Growing(piece.index, piece.id, piece.name, piece.arguments))

    def _continued_by(self, piece: _Piece) -> _Growing | None:
        if piece.id:
            for call in self._calls:
                if call.id == piece.id:
                    return call
        same = [call for call in self._calls if call.index == piece.index]
        if not same:
            return None
        last = same[-1]
        if piece.id:
            # A new id: the start of another call, or the late id of the last one.
            return None if last.id or (piece.name and last.is_whole()) else last
        if piece.name and last.name and (piece.name != last.name or last.is_whole()):
            return None
        return last

    def calls(self) -> list[ToolCall]:
        # In the order in which they began, each with a unique id.
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


def _get(thing: object, name: str) -> object:
    return thing.get(name) if isinstance(thing, dict) else getattr(thing, name, None)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _arguments(value: object) -> str:
    if isinstance(value, dict):
        return json.dumps(value)
    return _text(value)
