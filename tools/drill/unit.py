"""Starts instances of the application as deploy/systemd/aimessage@.service says.

The drill does what systemd would: it opens the socket of aimessage@.socket, hands it over, waits for the
notification and runs ExecStartPost.
"""

import os
import secrets
import shlex
import signal
import socket
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = "/srv/aimessage"
HOST = "127.0.0.1"

Answer = requests.Response
Environment = dict[str, str]


class StandError(Exception):
    """Something that the drill needs is missing, or did not start."""


def manage(code: Path, environment: Environment, *arguments: str, **extra: str) -> str:
    """Runs manage.py of that checkout and returns its output. Raises StandError if it fails."""
    command = [str(code / ".venv/bin/python"), "manage.py", *arguments]
    done = subprocess.run(
        command, cwd=code, env={**environment, **extra}, capture_output=True, text=True, timeout=300
    )
    if done.returncode:
        raise StandError(f"manage.py {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
    return done.stdout


class Unit:
    def __init__(self) -> None:
        text = (ROOT / "deploy/systemd/aimessage@.service").read_text()
        pairs = [line.split("=", 1) for line in text.splitlines() if "=" in line and line[0] != "#"]
        self.settings = dict(pairs)
        self.environment = dict(value.split("=", 1) for name, value in pairs if name == "Environment")

    def command(self, name: str, code: Path, port: int) -> list[str]:
        return shlex.split(self.settings[name].replace(INSTALLED, str(code)).replace("%i", str(port)))

    def seconds(self, name: str) -> float:
        return float(self.settings[name])


@dataclass
class Instance:
    code: Path
    environment: Environment
    folder: Path
    port: int = 0
    unit: Unit = field(default_factory=Unit)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.open_port()

    def open_port(self) -> None:
        self.listener = socket.create_server((HOST, self.port), backlog=2048)
        self.port = self.listener.getsockname()[1]

    def close_port(self) -> None:
        self.listener.close()

    def start(self) -> None:
        command = self.unit.command("ExecStart", self.code, self.port)
        descriptor = self.listener.fileno()
        notify = self.folder / f"notify-{secrets.token_hex(4)}"
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified,
            (self.folder / f"instance-{self.port}.log").open("ab") as log,
        ):
            notified.bind(str(notify))
            notified.settimeout(self.unit.seconds("TimeoutStartSec"))
            self.process = subprocess.Popen(
                # sd_listen_fds(3): the socket is descriptor 3, and LISTEN_PID the process that takes it.
                ["bash", "-c", 'exec env LISTEN_PID=$$ LISTEN_FDS=1 "$@" 3<&"$0"', str(descriptor), *command],
                cwd=self.code,
                env={**self.unit.environment, **self.environment, "NOTIFY_SOCKET": str(notify)},
                stdout=log,
                stderr=log,
                pass_fds=[descriptor],
                start_new_session=True,
            )
            if not notified.recv(4096).startswith(b"READY=1"):
                raise StandError("gunicorn did not say that it is ready")
        asked = subprocess.run(self.unit.command("ExecStartPost", self.code, self.port), timeout=120)
        if asked.returncode:
            log_text = (self.folder / f"instance-{self.port}.log").read_text()[-3000:]
            raise StandError(f"The instance on port {self.port} does not answer:\n{log_text}")

    def stop(self) -> None:
        # As systemctl does with KillMode=mixed: SIGTERM to the master, SIGKILL to what is left.
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(self.unit.seconds("TimeoutStopSec"))
        finally:
            self.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def running_code(self) -> Path | None:
        return Path(f"/proc/{self.process.pid}/cwd").resolve() if self.process else None

    def close(self) -> None:
        try:
            self.stop()
        finally:
            self.close_port()

    def call(
        self,
        method: str,
        path: str,
        *,
        token: str = "",
        address: str = HOST,
        json: dict[str, str] | None = None,
    ) -> Answer:
        # As nginx would set them.
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": address, **bearer(token)}
        with session() as client:
            url = f"http://{HOST}:{self.port}{path}"
            return client.request(method, url, headers=headers, json=json, timeout=30)


def session() -> requests.Session:
    made = requests.Session()
    # Ignores proxies and certificates that the environment names.
    made.trust_env = False
    return made


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}
