"""What of an answer goes into which next request, as the API's description tells it (OpenAPI's links).

Ids in paths lead on by themselves, from their names; these are the steps that nobody could guess.
"""

from aimessage.api.schema.parts import Schema

#: By operation and status: the operations that follow. Those that take a body take the whole answer, since
#: unknown fields are ignored; openapi-generator refuses a body that is put together from parts.
LINKS: dict[tuple[str, str], list[str]] = {
    ("log_in", "200"): ["refresh_tokens", "log_out", "list_sessions"],
    ("refresh_tokens", "200"): ["refresh_tokens", "log_out"],
    ("list_sessions", "200"): ["log_out_everywhere"],
    ("send_message", "201"): ["get_unread_count", "mark_all_messages_read"],
    ("mark_all_messages_read", "200"): ["get_unread_count"],
    ("get_unread_count", "200"): ["list_received_messages"],
}
WITH_BODY = {"refresh_tokens", "log_out"}


def add_links(result: Schema, **kwargs: object) -> Schema:
    """A postprocessing hook of drf-spectacular."""
    for operations in result["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if following := LINKS.get((operation["operationId"], status)):
                    response["links"] = {name: _link(name) for name in following}
    return result


def _link(operation: str) -> Schema:
    body = {"requestBody": "$response.body"} if operation in WITH_BODY else {}
    return {"operationId": operation, **body}
