"""Clients made from the API's description by the generators that people use, against a running server."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

FOLDER = Path(__file__).parent
MODULES = FOLDER / "node_modules"
ENDING = "The story went as it should."

pytestmark = pytest.mark.django_db(transaction=True)


def run(command: list[Any], **options: Any) -> str:
    """What it prints; fails with all of that where it does not end well."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def description(live_server: Any, tmp_path: Path) -> Path:
    """/openapi.json as the server answers it."""
    path = tmp_path / "openapi.json"
    path.write_text(requests.get(f"{live_server.url}/openapi.json", timeout=10).text)
    return path


@pytest.fixture
def node() -> str:
    """Node.js with what package-lock.json names. Where it is missing the test is skipped, but in CI fails."""
    found = shutil.which("node")
    if found and (MODULES / ".package-lock.json").exists():
        return found
    missing = "`make tests/clients/node_modules` installs what this test needs; it takes Node.js and npm"
    if os.environ.get("NODE_REQUIRED"):
        pytest.fail(missing)
    pytest.skip(missing)


def test_a_typescript_client_compiles_strictly_and_works(
    live_server: Any, description: Path, tmp_path: Path, node: str
) -> None:
    (tmp_path / "node_modules").symlink_to(MODULES)
    (tmp_path / "package.json").write_text(json.dumps({"type": "module"}))
    for name in ("story.ts", "tsconfig.json"):
        shutil.copy(FOLDER / "typescript" / name, tmp_path)
    generator = MODULES / "openapi-typescript/bin/cli.js"

    run([node, generator, description, "--output", tmp_path / "api.ts"])
    run([node, MODULES / "typescript/bin/tsc", "--project", tmp_path])

    assert ENDING in run([node, tmp_path / "built/story.js", live_server.url])


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
