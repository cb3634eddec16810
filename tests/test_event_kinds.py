from importlib import import_module
from pathlib import Path

import pytest

from aimessage.events.kinds import KINDS
from aimessage.webhooks.kinds import TELLERS

ROOT = Path(__file__).resolve().parents[1]
PAGES = "\n".join((ROOT / f"docs/{page}.md").read_text() for page in ("events", "webhooks"))
NAMED = [
    (f"{path.parent.name}.events", name)
    for path in sorted(ROOT.glob("*/events.py"))
    for name, value in vars(import_module(f"{path.parent.name}.events")).items()
    if name.isupper() and isinstance(value, str)
]


@pytest.mark.parametrize(("module", "name"), NAMED)
def test_a_kind_of_event_is_registered_and_documented(module: str, name: str) -> None:
    """An event of a kind that nobody registered is stored and shown to nobody."""
    kind = getattr(import_module(module), name)

    assert kind in {*KINDS, *TELLERS}, f"{module} registers no {name}"
    assert f"`{kind}`" in PAGES, f"docs/events.md and docs/webhooks.md have no {kind}"
