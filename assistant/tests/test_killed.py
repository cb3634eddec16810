"""Several workers, which may be killed at any moment: each question has one answer, and a tool works once.

tests/faults/test_assistant.py does it for longer.
"""

from pytest_django import Settings

from aimessage.jobs.tests.processes import Shop
from assistant.tests.killing import answer_one_conversation, kill_while_answering


def test_killed_workers_answer_each_question_once(
    shop: Shop,
    settings: Settings,
) -> None:
    """B12, smaller."""
    assert kill_while_answering(shop, settings, questions=6, kills=2) >= 12


def test_two_workers_answer_a_conversation_one_question_at_a_time(
    shop: Shop,
    settings: Settings,
) -> None:
    """B14."""
    assert answer_one_conversation(shop, settings, questions=5) == 1
