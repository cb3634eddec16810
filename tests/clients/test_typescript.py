"""The TypeScript client: its own tests, and the examples of its README, against a running server."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import requests

from aimessage.events.kinds import KINDS
from tests.clients.conftest import PASSWORD
from tests.clients.nodes import needs_node, run

pytestmark = [pytest.mark.once, pytest.mark.waits]

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "clients/typescript"
BY_HAND = [path for path in sorted((PACKAGE / "src").glob("*.ts")) if path.name != "api.ts"]
EXAMPLES = re.findall(
    r"^## (.+?)\n.*?```ts\n(.*?)```", (PACKAGE / "README.md").read_text(), re.DOTALL | re.MULTILINE
)
#: The sketch for React, which is compiled and not run.
REACT = (ROOT / "docs/app-developers.md").read_text().split("```tsx\n")[1].split("```")[0]
#: A browser's, which Node.js has not.
STORAGE = """
const kept = new Map();
globalThis.localStorage = {
  getItem: (key) => kept.get(key) ?? null,
  setItem: (key, value) => kept.set(key, value),
  removeItem: (key) => kept.delete(key),
};
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, compiled strictly, its tests too."""
    node = needs_node(PACKAGE)
    folder = tmp_path_factory.mktemp("package") / "ai-messaging-client"
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("node_modules", "dist", "built"))
    (folder / "node_modules").symlink_to(PACKAGE / "node_modules")
    compiler = PACKAGE / "node_modules/typescript/bin/tsc"
    run([node, compiler, "--project", folder])
    run([node, compiler, "--project", folder / "test"])
    return folder


@pytest.fixture(scope="module")
def examples(package: Path, server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The README's examples and React's, compiled strictly as programs that have the package installed."""
    node = needs_node(PACKAGE)
    folder = tmp_path_factory.mktemp("examples")
    (folder / "node_modules/@types").mkdir(parents=True)
    (folder / "node_modules/ai-messaging-client").symlink_to(package)
    for name in ("@types/node", "undici-types", "@types/react", "csstype"):
        (folder / "node_modules" / name).symlink_to(PACKAGE / "node_modules" / name)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "storage.js").write_text(STORAGE)
    for name, code in EXAMPLES:
        (folder / f"{name}.ts").write_text(code.replace("http://localhost:8000", server))
    (folder / "thread.tsx").write_text(REACT)
    options = ["--strict", "--noUncheckedIndexedAccess", "--target", "es2022", "--module", "nodenext"]
    options += ["--jsx", "react-jsx"]
    compiler = PACKAGE / "node_modules/typescript/bin/tsc"
    run([node, compiler, *options, "--lib", "es2022,dom", *sorted(folder.glob("*.ts*"))])
    return folder


def test_its_own_tests_pass(package: Path, server: str) -> None:
    node = needs_node(PACKAGE)
    files = sorted(map(str, (package / "test/built").glob("*.test.js")))
    assert len(files) == 3

    told = run([node, "--test", "--test-reporter=tap", *files], env={**os.environ, "BASE_URL": server})

    assert re.search(r"^# pass [1-9]\d", told, re.MULTILINE)
    assert "# skipped 0" in told


def test_the_readme_has_five_examples() -> None:
    assert [name for name, _ in EXAMPLES] == [
        "Log in and send",
        "Live",
        "Pages",
        "Errors by code",
        "Stay logged in",
    ]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Log in and send", "conv_1_2 Shall we meet at noon?"),
        ("Pages", " messages"),
        ("Errors by code", "Incorrect username or password"),
        ("Stay logged in", "alice"),
    ],
)
def test_an_example_of_the_readme_runs(examples: Path, name: str, says: str) -> None:
    assert says in run([needs_node(PACKAGE), "--import", "./storage.js", f"{name}.js"], cwd=examples)


def test_the_sketch_for_react_compiles(examples: Path) -> None:
    assert "Thread" in (examples / "thread.js").read_text()


def test_the_live_example_shows_what_bob_writes(examples: Path, tmp_path: Path, server: str) -> None:
    with (tmp_path / "told").open("w") as told:
        command = [needs_node(PACKAGE), "Live.js"]
        process = subprocess.Popen(command, cwd=examples, stdout=told, stderr=told)
    try:
        wait_for(tmp_path / "told", "[")
        login = {"username": "bob", "password": PASSWORD}
        tokens = requests.post(f"{server}/auth/login", json=login, timeout=30).json()
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        message = {"recipient_id": 1, "content": "At noon it is."}
        requests.post(f"{server}/messages", json=message, headers=headers, timeout=30).raise_for_status()
        wait_for(tmp_path / "told", "new: At noon it is.")
    finally:
        process.kill()
        process.wait()


def wait_for(file: Path, text: str) -> None:
    deadline = time.monotonic() + 30
    while text not in file.read_text():
        assert time.monotonic() < deadline, file.read_text()
        time.sleep(0.05)


def test_what_is_written_by_hand_is_short() -> None:
    lines = [line.strip() for path in BY_HAND for line in path.read_text().splitlines()]

    code = [line for line in lines if line and not line.startswith(("//", "/*", "*"))]
    assert len(BY_HAND) == 4
    assert len(code) <= 200


def test_it_knows_the_events_that_there_are() -> None:
    told = re.search(r"interface EventData (.*?)\n\}", (PACKAGE / "src/events.ts").read_text(), re.DOTALL)

    assert told
    assert set(KINDS) - set(re.findall(r'"?\b([a-z]+(?:\.[a-z]+)?)\b"?', told[1])) == set()
