"""What of an answer goes into which next request, as the API's description tells it (OpenAPI's links).

Ids in paths lead on by themselves, from their names; these are the steps that nobody could guess.
"""

from typing import Any

Schema = dict[str, Any]

#: By operation and status: the operations that follow, each with what its body takes from the answer.
LINKS: dict[tuple[str, str], dict[str, dict[str, str]]] = {
    ("login", "200"): {
        "refresh": {"refresh_token": "$response.body#/refresh_token"},
        "logout": {"refresh_token": "$response.body#/refresh_token"},
    },
    ("refresh", "200"): {
        "refresh": {"refresh_token": "$response.body#/refresh_token"},
        "logout": {"refresh_token": "$response.body#/refresh_token"},
    },
    ("directory", "200"): {
        "send_message": {"recipient_id": "$response.body#/0/id"},
        "block": {"user_id": "$response.body#/0/id"},
    },
    ("sessions", "200"): {"logout_all": {}},
    ("send_message", "201"): {"unread_count": {}, "read_all": {}},
    ("read_all", "200"): {"unread_count": {}},
    ("unread_count", "200"): {"messages_received": {}},
}


def add_links(result: Schema, **kwargs: Any) -> Schema:
    """A postprocessing hook of drf-spectacular."""
    for operations in result["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if following := LINKS.get((operation["operationId"], status)):
                    response["links"] = {name: _link(name, body) for name, body in following.items()}
    return result


def _link(operation: str, body: dict[str, str]) -> Schema:
    return {"operationId": operation, **({"requestBody": body} if body else {})}
