"""What a model gives to a tool: JSON, or something that is meant to be."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from assistant.tools import Tool, ToolError

#: Characters; the longest report is 20,000, of which JSON may write each as six.
LONGEST = 130_000
#: Characters of a complaint about the arguments; it may quote them.
COMPLAINT = 300


def read_arguments(tool: Tool, text: str) -> dict[str, Any]:
    """The arguments of a call, as the tool's schema has them. Raises ToolError."""
    if len(text) > LONGEST:
        raise ToolError("The arguments are too long")
    try:
        arguments = json.loads(text or "{}", parse_constant=_refuse)
        # PostgreSQL stores neither.
        json.dumps(arguments, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise ToolError("The arguments are no valid JSON") from error
    if "\\u0000" in json.dumps(arguments):
        raise ToolError("NUL characters are not allowed")
    complaint = best_match(Draft202012Validator(_schema(tool.parameters)).iter_errors(arguments))
    if complaint is not None:
        where = ".".join(map(str, complaint.absolute_path))
        raise ToolError(f"{where}: {complaint.message}"[:COMPLAINT].removeprefix(": "))
    names = tool.parameters.get("properties", {})
    return {name: value for name, value in arguments.items() if name in names and value is not None}


def _schema(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Models write null for what they leave out; what the schema does not name is ignored."""
    required = set(parameters.get("required", ()))
    properties = {
        name: schema if name in required else {"anyOf": [schema, {"type": "null"}]}
        for name, schema in parameters.get("properties", {}).items()
    }
    return {**parameters, "type": "object", "properties": properties}


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
