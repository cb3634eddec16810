"""What the tests of leaving share."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from time_machine import TimeMachineFixture

from tests.factories import PASSWORD

PROOF = {"current_password": PASSWORD}
DELETE, CANCEL = "/auth/me/delete", "/auth/deletion/cancel"
LOGIN = {"username": "alice", "password": PASSWORD}
REFUSED = "Incorrect username or password"
Notices = list[tuple[str, str, dict[str, Any]]]


def later(time_machine: TimeMachineFixture, **time: float) -> None:
    time_machine.move_to(timezone.now() + timedelta(**time), tick=False)
