"""Starts and stops a PostgreSQL of its own, the application, the floors and the peer."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tools.benchmarks.processes import with_descendants

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BENCH_BIN = ROOT / ".venv-bench" / "bin"
#: For the application, the floors and the peer.
WORKERS = 2
START_SECONDS = 60

# Changes to Debian's settings. fsync and synchronous_commit stay on: what is acknowledged is on disk.
POSTGRESQL_SETTINGS = {
    "shared_buffers": "1GB",
    "effective_cache_size": "4GB",
    # For solid disks. The product would set it for itself, so that the others have to get it, too.
    "random_page_cost": "1.1",
    # So that a full log forces no checkpoint during a measurement.
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "max_connections": "200",
}


class StartError(Exception):
    """Something did not start; the message holds the end of its log."""


@dataclass
class Server:
    name: str
    #: The master process.
    process: "subprocess.Popen[bytes]"
    url: str

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                for pid in with_descendants(self.process.pid):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)


def wait_for_port(server: Server, log: Path, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise StartError(f"{server.name} ended at its start:\n{tail(log)}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    server.stop()
    raise StartError(f"{server.name} did not listen on port {port} within {START_SECONDS} s:\n{tail(log)}")


def tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


@dataclass
class Cluster:
    """A PostgreSQL cluster of the benchmark's own."""

    folder: Path
    port: int

    @property
    def data(self) -> Path:
        return self.folder / "postgresql"

    def url(self, database: str = "bench") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def exists(self) -> bool:
        return (self.data / "PG_VERSION").exists()

    def create(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            # PostgreSQL does not run as root.
            shutil.chown(self.folder, "postgres")
        arguments = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
        self._run("initdb", "--pgdata", str(self.data), *arguments)

    def start(self) -> int:
        """Returns the process id of the postmaster."""
        options = [f"-c {name}={value}" for name, value in POSTGRESQL_SETTINGS.items()]
        options += [
            f"-p {self.port}",
            "-c listen_addresses=127.0.0.1",
            f"-c unix_socket_directories={self.folder}",
        ]
        self._run("pg_ctl", "-D", str(self.data), "-l", str(self.folder / "postgresql.log"), "-w"
                  , "-t", "60", "-o", " ".join(options), "start")  # fmt: skip
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.data), "-m", "fast", "-w", "-t", "120", "stop")

    def add_database(self, name: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(postgresql_bin() / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        # Not a pipe: the server inherits pg_ctl's output and would keep it open.
        log = self.folder / f"{program}.log"
        with log.open("wb") as output:
            done = subprocess.run(command, stdout=output, stderr=output, cwd=self.folder)  # noqa: S603
        if done.returncode:
            raise StartError(f"{program} failed:\n{tail(log)}\n{self._server_log()}")

    def _server_log(self) -> str:
        log = self.folder / "postgresql.log"
        return tail(log) if log.exists() else ""


def postgresql_bin() -> Path:
    # Debian does not put the server's programs on the path.
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    if initdb is None:
        raise StartError("There is no PostgreSQL server here. On Debian: apt install postgresql")
    return Path(initdb).resolve().parent


@dataclass
class Application:
    """A checkout of the product, run as `make run` does."""

    path: Path
    database_url: str
    folder: Path
    secret_key: str = "benchmark-key-that-is-long-enough-to-be-taken-0123456789"  # noqa: S105

    @property
    def python(self) -> Path:
        return self.path / ".venv" / "bin" / "python"

    def environment(self, port: int = 8000) -> dict[str, str]:
        # Nothing of the developer's own .env.
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        # BENCH_APP_X=1 tries out the setting X=1.
        prefix = "BENCH_APP_"
        for name, value in os.environ.items():
            if name.startswith(prefix):
                kept[name.removeprefix(prefix)] = value
        scopes = ("LOGIN", "REGISTER", "REFRESH", "SEND", "SEARCH", "REPORT", "PEOPLE")
        throttles = {f"AI_MESSAGE_THROTTLE_{name}": "off" for name in scopes}
        return {
            "AI_MESSAGE_ENV_FILE": os.devnull,
            "SECRET_KEY": self.secret_key,
            "DATABASE_URL": self.database_url,
            "AI_MESSAGE_HOST": "127.0.0.1",
            "AI_MESSAGE_PORT": str(port),
            "AI_MESSAGE_WORKERS": str(WORKERS),
            "AI_MESSAGE_JOBS": "off",
            "AI_MESSAGE_LOGS_FOLDER": str(self.folder / "logs"),
            "PYTHONDONTWRITEBYTECODE": "1",
            **throttles,
            **kept,
        }

    def manage(self, *arguments: str) -> None:
        command = [str(self.python), "manage.py", *arguments]
        done = subprocess.run(  # noqa: S603
            command, cwd=self.path, env=self.environment(), capture_output=True, text=True
        )
        if done.returncode:
            raise StartError(f"manage.py {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")

    def prepare(self) -> None:
        self.manage("migrate", "--verbosity", "0")
        self.manage("collectstatic", "--noinput", "--verbosity", "0")

    def ask(self, what: str, *arguments: str) -> dict[str, str]:
        # With the application's Python and settings.
        command = [str(self.python), str(HERE / "inside.py"), what, *arguments]
        environment = self.environment() | {"PYTHONPATH": str(self.path)}
        done = subprocess.run(command, cwd=self.path, env=environment, capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            raise StartError(f"inside.py {what} failed:\n{done.stderr[-2000:]}")
        answer: dict[str, str] = json.loads(done.stdout)
        return answer

    def mint_tokens(self, count: int) -> dict[int, str]:
        """Access tokens of users 1 to `count`. They last half an hour."""
        answer = self.ask("tokens", "1", str(count))
        return {int(user): token for user, token in answer.items()}

    def serve(self, name: str, port: int) -> Server:
        command = [str(self.python.parent / "gunicorn")]
        return _start(name, command, self.path, self.environment(port), self.folder, port)

    def serve_floor(self, name: str, module: str, port: int) -> Server:
        # With the gunicorn of the application, and its configuration.
        command = [str(self.python.parent / "gunicorn"), "--config", str(self.path / "gunicorn.conf.py")]
        command += [f"{module}:application"]
        environment = self.environment(port) | {"PYTHONPATH": f"{self.path}:{HERE / 'floors'}"}
        if module == "django_floor":
            environment["DJANGO_SETTINGS_MODULE"] = "floor_settings"
        return _start(name, command, self.path, environment, self.folder, port)

    def serve_peer(self, port: int) -> Server:
        uvicorn = BENCH_BIN / "uvicorn"
        if not uvicorn.exists():
            raise StartError("The peer has no virtual environment yet: start the benchmark by `make bench`.")
        command = [str(uvicorn), "app:app", "--host", "127.0.0.1", "--port", str(port)]
        command += ["--workers", str(WORKERS), "--loop", "uvloop", "--http", "httptools"]
        environment = self.environment(port)
        return _start("peer", command, HERE / "peer", environment, self.folder, port)


def _start(
    name: str, command: list[str], cwd: Path, environment: dict[str, str], folder: Path, port: int
) -> Server:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        raise StartError(f"Port {port} is taken. Another first port: make bench PORT={port + 1000}")
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=output, stderr=output)  # noqa: S603
    server = Server(name, process, f"http://127.0.0.1:{port}")
    wait_for_port(server, log, port)
    return server


@contextmanager
def stopping(servers: list[Server]) -> Iterator[list[Server]]:
    """Stops all servers that the block has added to the list."""
    try:
        yield servers
    finally:
        for server in reversed(servers):
            server.stop()
