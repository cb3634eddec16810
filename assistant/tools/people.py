"""A tool that finds people to whom the asker can write."""

from aimessage.api.throttles import seconds_to_wait
from aimessage.db.text import fold
from assistant.tools import Arguments, Call, Result, Tool, ToolError, add_tool
from messaging.selectors import reachable_by

#: Characters of a search, as in GET /auth/directory.
SHORTEST, LONGEST = 2, 255
FOUND = 10


def find_people(call: Call, arguments: Arguments) -> Result:
    prefix = " ".join(fold(arguments["search"]).split())
    if len(prefix) < SHORTEST:
        raise ToolError(f"Search for at least {SHORTEST} characters")
    if seconds_to_wait("people", str(call.asker.pk)) is not None:
        raise ToolError("The user has searched too often, and must wait before searching again")
    people = reachable_by(call.asker).named_like(prefix).order_by("username_key")
    return {"people": list(people.values("id", "username", "full_name")[:FOUND])}


def found_somebody(result: Result) -> bool:
    # People choose their names themselves.
    return bool(result["people"])


add_tool(
    Tool(
        name="find_people",
        description="Finds people whom the user can write to, by the start of their username or name.",
        parameters={
            "type": "object",
            "properties": {"search": {"type": "string", "minLength": SHORTEST, "maxLength": LONGEST}},
            "required": ["search"],
        },
        function=find_people,
        shows_others_words=found_somebody,
    )
)
