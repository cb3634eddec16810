"""The assistant while its workers are killed."""

from collections.abc import Callable
from typing import Any

import pytest

from aimessage.jobs.tests.conftest import migrated, shop  # noqa: F401  fixtures
from aimessage.jobs.tests.processes import Shop
from assistant.tests.killing import kill_while_answering
from tests.faults.scale import ANSWERING_KILLS as KILLS
from tests.faults.scale import QUESTIONS

pytestmark = pytest.mark.faults


def test_killed_workers_answer_each_question_once(
    shop: Shop,  # noqa: F811
    settings: Any,
    figure: Callable[..., None],
    progress: Callable[[str], None],
) -> None:
    """B12: two workers, one of which is killed every 0.3 s while a call is under way, and replaced."""
    calls = kill_while_answering(shop, settings, questions=QUESTIONS, kills=KILLS, progress=progress)
    figure(questions=QUESTIONS, kills=KILLS, calls=calls, calls_without_kills=2 * QUESTIONS)
