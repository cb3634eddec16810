"""What is installed is what was reviewed: every package pinned, every file known by its digest."""

import json
import re
import runpy
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
FOUND = sorted(
    str(path.relative_to(ROOT))
    for folder in (".", "tools/benchmarks", "tools/benchmarks/peer")
    for path in (ROOT / folder).glob("requirements*.txt")
)
PINNED = re.compile(r"[a-z0-9][a-z0-9-]*(\[[a-z0-9,-]+\])?==\S+( ; [^\\]+)?( --hash=sha256:[0-9a-f]{64})+")


def requirements(name: str) -> list[str]:
    """Each on one line, without comments."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / name).read_text(), flags=re.MULTILINE)
    return [" ".join(line.split()) for line in text.replace("\\\n", " ").splitlines() if line.strip()]


@pytest.mark.parametrize("name", FOUND)
def test_every_requirement_has_one_version_and_the_digests_of_its_files(name: str) -> None:
    found = requirements(name)

    assert len(found) >= 10
    assert [line for line in found if not PINNED.fullmatch(line)] == []


def test_extras_are_pinned_too() -> None:
    """Without its extra in the pin, pip asks for the newest `coverage[toml]`, which has no digest here."""
    found = {line.split("==")[0] for name in FOUND for line in requirements(name)}

    assert {"coverage[toml]", "psycopg[binary]", "urllib3[socks]"} <= found
    assert "--no-strip-extras" in (ROOT / "Makefile").read_text()


def needs(name: str) -> list[str]:
    """Empty for what is not installed here, as it is for another Python."""
    try:
        return distribution(name).requires or []
    except PackageNotFoundError:
        return []


def test_pins_are_complete_on_the_oldest_python_too() -> None:
    """pip-compile leaves out what only another Python than its own needs; pip then refuses to install."""
    oldest = {"python_version": "3.11", "python_full_version": "3.11.0"}
    pins = [Requirement(line.split(" --hash")[0]) for name in FOUND[:2] for line in requirements(name)]
    pinned = {canonicalize_name(pin.name) for pin in pins}

    missing = [
        f"{pin.name} needs {wanted}"
        for pin in pins
        for wanted in map(Requirement, needs(pin.name))
        for extra in {"", *pin.extras}
        if (wanted.marker is None or wanted.marker.evaluate({**oldest, "extra": extra}))
        and canonicalize_name(wanted.name) not in pinned
    ]

    assert FOUND[:2] == ["requirements-dev.txt", "requirements.txt"]
    assert len(pinned) > 100
    assert missing == []


@pytest.mark.parametrize("folder", ["tests/browser", "tests/clients", "clients/typescript"])
def test_what_npm_installs_is_known_by_its_digest(folder: str) -> None:
    packages = json.loads((ROOT / folder / "package-lock.json").read_text())["packages"]
    installed = {name: one for name, one in packages.items() if name and not one.get("inBundle")}

    assert installed
    for name, one in installed.items():
        assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", one["integrity"]), name


def test_nothing_is_installed_without_its_digests() -> None:
    installs = re.findall(r"pip install(?:[^\n]|\\\n)*", (ROOT / "Makefile").read_text())

    assert len(installs) >= 3
    for command in installs:
        assert "--require-hashes" in command
    assert "npm ci" in (ROOT / "Makefile").read_text()


def test_the_linter_looks_for_weaknesses() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]

    assert "S" in lint["select"]
    assert not [rule for rule in lint["ignore"] if rule.startswith("S")]


CLEAN = {"dependencies": [{"name": "a", "version": "1", "vulns": []}]}
WEAK = {"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "CVE-1"}]}]}
UNKNOWN = {"dependencies": [*CLEAN["dependencies"], {"name": "b", "skip_reason": "not found on PyPI"}]}
NPM = {"vulnerabilities": {}}


@pytest.mark.parametrize(
    ("pypi", "osv", "npm", "status"),
    [
        (CLEAN, {}, NPM, 0),
        (UNKNOWN, CLEAN, NPM, 0),
        ({}, CLEAN, NPM, 0),
        (WEAK, {}, NPM, 1),
        ({}, WEAK, {}, 1),
        (CLEAN, {}, {"vulnerabilities": {"a": {}}}, 1),
        ({}, {}, {"vulnerabilities": {"a": {}}}, 1),
        (UNKNOWN, {}, NPM, 75),
        (UNKNOWN, UNKNOWN, NPM, 75),
        ({}, {}, NPM, 75),
        (CLEAN, {}, {"message": "405"}, 75),
    ],
)
def test_the_audit_tells_clean_from_weak_and_from_unanswered(
    pypi: dict[str, Any],
    osv: dict[str, Any],
    npm: dict[str, Any],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    audit = runpy.run_path(str(ROOT / ".ci/pins"))
    answers = {"pypi": pypi, "osv": osv}
    inside = audit["main"].__globals__
    monkeypatch.setitem(inside, "run", lambda command: (answers.get(command[-1], npm), "refused"))
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")

    assert audit["main"]() == status
    told = capsys.readouterr()
    assert status != 75 or "Not everything was checked" in told.err
    assert status != 0 or not told.err


def test_the_audit_looks_at_every_file_of_requirements() -> None:
    assert sorted(runpy.run_path(str(ROOT / ".ci/pins"))["REQUIREMENTS"]) == FOUND
