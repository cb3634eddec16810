"""Holds the problems that test clients get to the API's description."""

from typing import Any

import pytest
from django.test import Client


@pytest.fixture(autouse=True)
def _problems_are_described(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Holds every problem to the API's description, except in tests that are marked `undescribed`."""
    if request.node.get_closest_marker("undescribed"):
        return
    ask = Client.request

    def ask_and_check(self: Client, **environ: Any) -> Any:
        from tests.described import assert_codes_described

        answer = ask(self, **environ)
        assert_codes_described(answer)
        return answer

    monkeypatch.setattr(Client, "request", ask_and_check)
