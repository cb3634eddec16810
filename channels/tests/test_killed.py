"""D1 A43 with a few kills; tests/faults has more."""

from aimessage.jobs.tests.processes import Shop
from channels.tests.killing import kill_while_sending


def test_a_worker_that_is_killed_doubles_nothing_and_loses_nothing(shop: Shop) -> None:
    came = kill_while_sending(shop, contacts=4, kills=2, said=lambda text: None)

    assert came["messages"] == 8
