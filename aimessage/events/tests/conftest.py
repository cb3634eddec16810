import pytest

from aimessage.events.kinds import KINDS, Kind, stored_data


@pytest.fixture(autouse=True)
def _a_kind_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "test", Kind(stored_data, None))
