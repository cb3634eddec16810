"""Workers that are killed at any moment: each question has one answer, and a tool changes something once.

tests/faults/test_assistant.py does it for longer.
"""

from typing import Any

from aimessage.jobs.tests.conftest import migrated, shop  # noqa: F401  fixtures
from aimessage.jobs.tests.processes import Shop
from assistant.tests.killing import kill_while_answering


def test_killed_workers_answer_each_question_once(
    shop: Shop,  # noqa: F811
    settings: Any,
) -> None:
    """B12, smaller."""
    assert kill_while_answering(shop, settings, questions=6, kills=2) >= 12
