"""Parses request bodies, which must be JSON objects."""

import json
from collections.abc import Mapping
from typing import IO, NoReturn

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from rest_framework.request import Request

from aimessage.api.problems import BROKE_OFF, NOT_AN_OBJECT

#: Levels of arrays and objects within each other.
MAX_DEPTH = 64


class StrictJSONParser(JSONParser):
    """Parses a UTF-8 JSON object (RFC 8259); raises ParseError for anything else.

    Stricter than DRF's own: an object at the top, no `NaN` or `Infinity`, no NUL or lone surrogate
    in any text, no nesting past `MAX_DEPTH`, whatever charset the Content-Type claims.
    """

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, object] | None = None,
    ) -> dict[str, object]:
        body = stream.read()
        if len(body) < _announced_length(parser_context):
            # The part that arrived may still be valid JSON: `{}` of a body of a hundred bytes.
            raise ParseError(BROKE_OFF)
        try:
            text = body.decode("utf-8-sig")
            data = json.loads(text, parse_constant=_refuse_constant)
        except UnicodeDecodeError as error:
            raise ParseError("The request body is not UTF-8") from error
        except RecursionError as error:
            raise ParseError("The request body is nested too deeply") from error
        except ValueError as error:
            raise ParseError(f"The request body is not valid JSON: {error}") from error
        if not isinstance(data, dict):
            raise ParseError(NOT_AN_OBJECT)
        _check(data)
        return data


def _announced_length(parser_context: Mapping[str, object] | None) -> int:
    request = (parser_context or {}).get("request")
    return int(request.META.get("CONTENT_LENGTH") or 0) if isinstance(request, Request) else 0


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _check(data: dict[str, object]) -> None:
    # Level by level, because a recursive walk would overflow the stack on deep data.
    level: list[object] = [data]
    for _depth in range(MAX_DEPTH):
        below: list[object] = []
        for value in level:
            if isinstance(value, dict):
                _check_text(*value)
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
            elif isinstance(value, str):
                _check_text(value)
        if not below:
            return
        level = below
    if any(isinstance(value, dict | list) for value in level):
        raise ParseError(f"The request body is nested deeper than {MAX_DEPTH} levels")
    _check_text(*(value for value in level if isinstance(value, str)))


def _check_text(*texts: str) -> None:
    for text in texts:
        if "\0" in text:
            raise ParseError("NUL characters are not allowed in text")
        if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
            raise ParseError("Lone surrogates are not allowed in text")
