"""What higher rooms add to the sending of a message; imports run channels, assistant -> messaging.

Each adds to these lists in its `apps.py`, and only where it is switched on: between two people
POST /messages enqueues nothing and makes no further query.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from accounts.models import User
from aimessage.api.problems import Reason
from messaging.models import Message

#: Whether the message that is being sent gets no answer by itself, since its sender writes too much or wants
#: none. Whoever answers messages looks at it in the `followers` and, where too many wait, in the `checks`.
unanswered: ContextVar[bool] = ContextVar("unanswered", default=False)


@dataclass(frozen=True)
class Receiver:
    id: int
    kind: str


#: Asked in the transaction of a message, before it is written, with the conversation locked; raises a
#: problem where `sender` may not write to this receiver.
checks: list[Callable[[User, Receiver], None]] = []
#: Called in the transaction of each new message, after its event; outside effects are jobs that it enqueues.
followers: list[Callable[[Message, Receiver], None]] = []
#: By status, why these refuse a message, for the API's description.
refusals: dict[int, list[Reason]] = {}
