import os
from collections.abc import Iterator

import pytest

from tests.pages.typist import Clone, blocks


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A fresh copy, in which `make run` was typed."""
    if os.environ.get("TEST_DATABASE_URL"):
        pytest.skip("pages are typed as a newcomer does, on SQLite")
    clone = Clone(tmp_path_factory.mktemp("clone") / "ai-messaging")
    try:
        clone.serve(blocks("README.md")[0], clone.port)
        yield clone
    finally:
        clone.stop()


@pytest.fixture(scope="session")
def talked(clone: Clone) -> str:
    """What README's blocks showed, from the first to the last before the second server."""
    first, *middle, last = blocks("README.md")
    assert first == "make run\n"
    assert last.endswith("make run\n")
    # Nobody stops to listen as quickly as a script does.
    return clone.type(clone.adapt("\n".join(middle), [("kill $!", "sleep 4; kill $!")]))


@pytest.fixture(scope="session")
def people(clone: Clone) -> None:
    """README's alice and bob, who have written to each other."""
    clone.type(clone.adapt(blocks("README.md")[1] + blocks("README.md")[3]))
