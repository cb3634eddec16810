"""What higher rooms add to the sending of a message; imports run channels, assistant -> messaging.

Each adds to these lists in its `apps.py`, and only where it is switched on: between two people
POST /messages enqueues nothing and makes no further query.
"""

from collections.abc import Callable
from dataclasses import dataclass

from accounts.models import User
from messaging.models import Message


@dataclass(frozen=True)
class Receiver:
    id: int
    kind: str


#: Asked in the transaction of a message, before it is written, with the conversation locked; raises a
#: problem where `sender` may not write to this receiver.
checks: list[Callable[[User, Receiver], None]] = []
#: Called in the transaction of each new message, after its event; outside effects are jobs that it enqueues.
followers: list[Callable[[Message, Receiver], None]] = []
