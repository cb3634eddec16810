import os
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
import requests

from tests.faults.servers import Application, serving
from tools.drill.stand import database

PASSWORD = "violet-tractor-42"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one as `make run` starts it, with two people."""
    folder = tmp_path_factory.mktemp("clients")
    there = os.environ.get("TEST_DATABASE_URL")
    made = (
        database(there, f"clients{os.getpid()}") if there else nullcontext(f"sqlite:///{folder}/db.sqlite3")
    )
    with made as url, serving(Application(folder / "server", url, workers=2)) as running:
        address = f"http://127.0.0.1:{running.port}"
        for name in ("alice", "bob"):
            account = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
            assert requests.post(f"{address}/auth/register", json=account, timeout=30).status_code == 201
        yield address
