"""Running Node.js with the packages that a package-lock.json names."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def run(command: list[Any], **options: Any) -> str:
    """What it prints; fails with all of that where it does not end well."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, **options)
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def needs_node(folder: Path) -> str:
    """Node.js, with the packages of `folder`. Where one is missing the test is skipped, but in CI fails."""
    found = shutil.which("node")
    if found and (folder / "node_modules/.package-lock.json").exists():
        return found
    target = f"{folder.relative_to(ROOT)}/node_modules"
    missing = f"`make {target}` installs what this test needs; it takes Node.js and npm"
    if os.environ.get("NODE_REQUIRED"):
        pytest.fail(missing)
    pytest.skip(missing)
