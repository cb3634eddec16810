"""The worker is killed while it sends by SMS: every message is sent exactly once, in its order."""

from collections.abc import Callable

import pytest

from aimessage.jobs.tests.processes import Shop
from channels.tests.killing import kill_while_sending
from tests.faults.scale import scale

pytestmark = pytest.mark.faults

KILLS, CONTACTS = scale("SENDING_KILLS", 50, 4), 6


def test_kills_while_sending_double_and_lose_nothing(
    shop: Shop,
    figure: Callable[..., None],
    progress: Callable[[str], None],
) -> None:
    came = kill_while_sending(shop, contacts=CONTACTS, kills=KILLS, said=progress)

    assert came["messages"] == KILLS * CONTACTS
    assert came["left in the middle"] > KILLS / 4
    figure(**{name.replace(" ", "_"): value for name, value in came.items()})
