"""Lists through which higher rooms (channels, assistant) take part in sending a message.

Each adds to them in its `apps.py`, and only if it is switched on: between two people POST /messages
enqueues nothing and makes no further query.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from accounts.models import User
from aimessage.api.problems import Reason
from messaging.models import Message

#: True while a message is sent that must get no automatic answer, because its sender writes too much or does
#: not want one. Rooms that answer read it in their `followers`, and in `checks` that limit how many wait.
unanswered: ContextVar[bool] = ContextVar("unanswered", default=False)


@dataclass(frozen=True)
class Receiver:
    id: int
    kind: str


#: Called in the transaction of a message, before it is written, with the conversation locked; raises a
#: problem if the sender may not write to this receiver.
checks: list[Callable[[User, Receiver], None]] = []
#: Called in the transaction of each new message, after its event; for outside effects it enqueues jobs.
followers: list[Callable[[Message, Receiver], None]] = []
#: The reasons of `checks` by status, for the API's description.
refusals: dict[int, list[Reason]] = {}
