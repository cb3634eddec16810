"""Parses and validates the arguments that a model gives to a tool."""

import json
from typing import NoReturn

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from assistant.tools import Arguments, Parameters, Tool, ToolError

#: Characters. The longest report has 20,000, and JSON may write each as six.
LONGEST = 130_000
#: Characters of an error message, which may quote the arguments.
COMPLAINT = 300


def read_arguments(tool: Tool, text: str) -> Arguments:
    """Returns the arguments of a call, valid by the tool's schema. Raises ToolError."""
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
    names = tool.parameters["properties"]
    return {name: value for name, value in arguments.items() if name in names and value is not None}


def _schema(parameters: Parameters) -> dict[str, object]:
    # Models write null for arguments that they leave out.
    required = set(parameters.get("required", ()))
    properties = {
        name: schema if name in required else {"anyOf": [schema, {"type": "null"}]}
        for name, schema in parameters["properties"].items()
    }
    return {**parameters, "type": "object", "properties": properties}


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
