import pytest

from aimessage.events.kinds import KINDS, Kind, stored_data


@pytest.fixture(autouse=True)
def _kinds_that_show_what_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("test", "session.ended"):
        monkeypatch.setitem(KINDS, name, Kind(stored_data, None))
