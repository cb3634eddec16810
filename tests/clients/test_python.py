"""A Python client, made from the API's description by openapi-python-client, against a running server."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.clients.nodes import run

FOLDER = Path(__file__).parent
ENDING = "The story went as it should."

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


@pytest.fixture
def description(live_server: Any, tmp_path: Path) -> Path:
    """/openapi.json as the server answers it."""
    path = tmp_path / "openapi.json"
    path.write_text(requests.get(f"{live_server.url}/openapi.json", timeout=10).text)
    return path


def test_a_python_client_compiles_and_works(live_server: Any, description: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    config = tmp_path / "config.json"
    # Without what puts its code in order, which takes ruff on the path. It has to be told that a zip
    # is bytes, as octet-stream is, or it leaves that answer out.
    overrides = {"application/zip": "application/octet-stream"}
    config.write_text(json.dumps({"post_hooks": [], "content_type_overrides": overrides}))
    generate = ["-m", "openapi_python_client", "generate", "--path", description, "--output-path", made]

    told = run([sys.executable, *generate, "--config", config, "--fail-on-warning"])
    run([sys.executable, "-m", "compileall", "-q", made])

    assert "Warning" not in told
    environment = {**os.environ, "PYTHONPATH": str(made)}
    assert ENDING in run([sys.executable, FOLDER / "story.py", live_server.url], env=environment)
