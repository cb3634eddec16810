"""Types what the pages tell to type: their ```sh blocks, in a copy of the project, beside its server."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import requests

from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
#: Seconds that a server may take to start, and a page to be typed.
START_LIMIT, PAGE_LIMIT = 120, 300
#: What a fresh clone has not.
MADE = (
    "node_modules .venv .venv-bench .git .env .mypy_cache .ruff_cache .pytest_cache .hypothesis __pycache__"
    " staticfiles logs outbox test-artifacts dist built *.sqlite3*"
)
BLOCK = re.compile(r"^( *)```sh\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


def blocks(page: str) -> list[str]:
    found = BLOCK.findall((ROOT / page).read_text())
    return [re.sub(f"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


@dataclass
class Clone:
    """A copy of the project, with what pip would install; its server is at `port`."""

    folder: Path
    port: int = field(default_factory=free_port)
    second_port: int = field(default_factory=free_port)
    servers: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def __post_init__(self) -> None:
        shutil.copytree(ROOT, self.folder, symlinks=True, ignore=shutil.ignore_patterns(*MADE.split()))
        venv = self.folder / ".venv"
        venv.mkdir()
        for name in ("bin", "lib", "pyvenv.cfg"):
            (venv / name).symlink_to(Path(sys.prefix) / name)
        for name in (".run", ".dev"):
            (venv / name).touch()
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.environment = {
            **kept,
            "AI_MESSAGE_HOST": "127.0.0.1",
            "AI_MESSAGE_PORT": str(self.port),
            "DJANGO_SUPERUSER_PASSWORD": "violet-tractor-42",
        }

    def adapt(self, text: str, changes: Iterable[tuple[str, str]] = ()) -> str:
        """`text` with other ports, without questions, and with `changes`, each of which must fit."""
        for old, new in changes:
            assert old in text, f"no {old!r} in:\n{text}"
            text = text.replace(old, new)
        text = text.replace(
            "createsuperuser", "createsuperuser --noinput --username root --email root@example.org"
        )
        text = re.sub(r"(localhost|127\.0\.0\.1):8000", rf"\1:{self.port}", text)
        return re.sub(r"(?<=localhost:)8001|(?<=AI_MESSAGE_PORT=)8001", str(self.second_port), text)

    def type(self, text: str, **variables: str) -> str:
        """What one terminal shows of it; fails where a command does."""
        command = ["bash", "-euo", "pipefail", "-c", text]
        environment = {**self.environment, **variables}
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=PAGE_LIMIT,
            )
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"It does not end:\n{text}\n{error.output}") from None
        assert done.returncode == 0, f"{text}\n--- ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def serve(self, text: str, port: int) -> None:
        """Types a command that does not end, and waits until a server answers at `port`."""
        with (self.folder / f"server-{port}.log").open("wb") as log:
            process = subprocess.Popen(
                ["bash", "-euc", text],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.servers.append(process)
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if requests.get(f"http://127.0.0.1:{port}/health", timeout=5).ok:
                    return
            except requests.RequestException:
                time.sleep(0.2)
        raise AssertionError(f"{text} did not come up:\n{(self.folder / f'server-{port}.log').read_text()}")

    def stop(self) -> None:
        for process in self.servers:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.servers:
            process.wait(timeout=40)
