"""What the fault tests break: a private PostgreSQL, the application's own gunicorn, a wire between them."""

import os
import pwd
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.faults.scale import WORKERS
from tests.migrated import migrate_sqlite
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
#: Seconds until a server that starts must answer.
START_LIMIT = 60
#: Settings of the throttles and the lockout. Tests of other things lift them.
SCOPES = (
    "LOGIN",
    "REGISTER",
    "REFRESH",
    "SEND",
    "SEARCH",
    "REPORT",
    "PEOPLE",
    "TYPING",
    "EXPORT",
    "MAIL",
    "CONFIRM",
)
UNLIMITED = {f"AI_MESSAGE_THROTTLE_{name}": "off" for name in SCOPES}


def wait_until(true: Callable[[], bool], limit: float, what: str) -> float:
    """Seconds until `true()`; raises TimeoutError after `limit`."""
    start = time.monotonic()
    while not true():
        if time.monotonic() - start > limit:
            raise TimeoutError(f"{what}: not within {limit} s")
        time.sleep(0.02)
    return time.monotonic() - start


def children_of(pid: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(stat[1]) == pid and stat[0] != "Z":
                found.append(int(folder.name))
    return sorted(found)


def binary(name: str) -> str:
    """One of PostgreSQL's own programs, which Debian keeps off the PATH."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True):
        if (folder / name).exists():
            return str(folder / name)
    if found := shutil.which(name):
        return found
    raise RuntimeError(f"There is no {name}. On Debian: apt install postgresql")


def _version(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0


class PostgreSQL:
    """A cluster of its own, which may be stopped, frozen and killed. It keeps what it acknowledged."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.data = folder / "data"
        # PostgreSQL does not run as root.
        self.user = "postgres" if os.getuid() == 0 else None
        folder.mkdir(parents=True)
        if self.user:
            shutil.chown(folder, self.user)
        self._run(
            "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"
        )
        self.start()
        self._run("createdb", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres", "aimessage")

    def url(self, port: int | None = None) -> str:
        return f"postgresql://postgres@127.0.0.1:{port or self.port}/aimessage"

    def _run(self, program: str, *arguments: object) -> None:
        command = [binary(program), *map(str, arguments)]
        subprocess.run(
            command, check=True, user=self.user, cwd="/", stdout=subprocess.DEVNULL, env=self._environment()
        )

    def _environment(self) -> dict[str, str]:
        home = pwd.getpwnam(self.user).pw_dir if self.user else os.environ.get("HOME", "/")
        return {"PATH": os.environ["PATH"], "HOME": home, "LC_ALL": "C.UTF-8"}

    def start(self) -> None:
        """Returns when it takes connections."""
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
            "max_connections": 200,
        }
        command = [binary("postgres"), "-D", str(self.data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        # A child of ours, since one that nobody waits for stays in the list of processes when killed.
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, user=self.user, cwd="/", stdout=log, stderr=log, env=self._environment()
            )
        wait_until(self.answers, START_LIMIT, "PostgreSQL to answer")

    def answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError("PostgreSQL did not start:\n" + (self.folder / "log").read_text()[-3000:])
        try:
            psycopg.connect(self.url().replace("/aimessage", "/postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """In an orderly way, but without waiting for clients."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=30)

    def processes(self) -> list[int]:
        return [self.process.pid, *children_of(self.process.pid)]

    def signal(self, number: int) -> None:
        """To every process at once, as SIGSTOP and SIGCONT."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """SIGKILL to every process."""
        processes = self.processes()
        self.signal(signal.SIGKILL)
        self.process.wait(timeout=30)
        wait_until(lambda: not any(map(_alive, processes)), 30, "PostgreSQL to be gone")

    def remove(self) -> None:
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@dataclass
class Application:
    """gunicorn with this project's gunicorn.conf.py, over `database`."""

    folder: Path
    database: str
    workers: int = WORKERS
    settings: dict[str, str] = field(default_factory=dict)
    #: A port that is held open for it, as systemd does (deploy/systemd), so that requests wait there.
    held: socket.socket | None = None

    def __post_init__(self) -> None:
        self.port = self.held.getsockname()[1] if self.held else free_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "logs").mkdir(exist_ok=True)
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.environment = {
            **kept,
            "DJANGO_SETTINGS_MODULE": "aimessage.settings",
            "AI_MESSAGE_ENV_FILE": os.devnull,
            "SECRET_KEY": secrets.token_urlsafe(50),
            "DATABASE_URL": self.database,
            "AI_MESSAGE_HOST": "127.0.0.1",
            "AI_MESSAGE_PORT": str(self.port),
            "AI_MESSAGE_WORKERS": str(self.workers),
            "AI_MESSAGE_LOGS_FOLDER": str(self.folder / "logs"),
            "AI_MESSAGE_JOBS": "off",
            **UNLIMITED,
            **self.settings,
        }

    def manage(self, *arguments: str) -> str:
        """Runs a management command; returns what it prints."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{command} failed:\n{done.stderr[-2000:]}")
        return done.stdout

    def run(self, script: str) -> str:
        """Runs a script with Django set up; returns what it prints."""
        return self.manage("shell", "--no-imports", "--verbosity", "0", "--command", script)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query, without a process that starts for it."""
        path = self.database.removeprefix("sqlite:///")
        opened: Any = psycopg.connect(self.database) if path == self.database else sqlite3.connect(path)
        with closing(opened) as connection:
            return list(connection.execute(query).fetchall())

    def start(self) -> None:
        command = [str(Path(sys.executable).with_name("gunicorn"))]
        kept = []
        if self.held:  # sd_listen_fds(3): from descriptor 3 on, for the process that LISTEN_PID names
            kept = [self.held.fileno()]
            handing = 'export LISTEN_FDS=1 LISTEN_PID=$$; exec "$0" 3<&"$1"'
            command = ["bash", "-c", handing, *command, str(kept[0])]
        with self.output.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, pass_fds=kept
            )
        wait_until(self.answers, START_LIMIT, "gunicorn to answer")
        wait_until(lambda: len(self.worker_pids()) == self.workers, START_LIMIT, "all workers to be up")

    def answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def worker_pids(self) -> list[int]:
        return children_of(self.process.pid)

    @property
    def output(self) -> Path:
        """What it says on standard output and error."""
        return self.folder / "server.log"

    def log(self) -> str:
        return self.output.read_text(errors="replace")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=40)


def _is_migrated(url: str) -> bool:
    """Whether another test has migrated it before."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT to_regclass('django_migrations') IS NOT NULL").fetchone()
    return row == (True,)


@contextmanager
def serving(application: Application) -> Iterator[Application]:
    """The application over a fresh database; stopped at the end."""

    def migrate() -> None:
        application.manage("migrate", "--verbosity", "0")

    if application.database.startswith("sqlite:///"):
        migrate_sqlite(Path(application.database.removeprefix("sqlite:///")), migrate)
    elif not _is_migrated(application.database):
        migrate()
    try:
        application.start()
        yield application
    finally:
        application.stop()


class Wire:
    """A TCP proxy to 127.0.0.1:`port`. Cut, it keeps its connections open, and passes nothing on."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.whole = threading.Event()
        self.whole.set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self.whole.clear()

    def mend(self) -> None:
        self.whole.set()

    def close(self) -> None:
        self.mend()
        self.listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        # A cut wire accepts connections and never answers, as if packets got lost.
        self.whole.wait()
        try:
            far = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            near.close()
            return
        for one, other in ((near, far), (far, near)):
            threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self.whole.wait()
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
