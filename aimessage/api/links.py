"""OpenAPI links: which operations follow an answer, and take values from it.

Ids in paths need no link, since their names say where they come from; these steps nobody could guess.
"""

from aimessage.api.schema.parts import Schema

#: By operation and status: the operations that follow. Those with a body are sent the whole answer: unknown
#: fields are ignored, and openapi-generator refuses a body that is put together from parts.
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
    for operations in result["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if following := LINKS.get((operation["operationId"], status)):
                    response["links"] = {name: _link(name) for name in following}
    return result


def _link(operation: str) -> Schema:
    body = {"requestBody": "$response.body"} if operation in WITH_BODY else {}
    return {"operationId": operation, **body}
