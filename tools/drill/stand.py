"""What the drill runs on: a database, two instances started as the unit file says, nginx as it is shipped.

systemd itself is played: the drill holds the sockets of aimessage@.socket, hands them over, waits for the
notification and runs ExecStartPost.
"""

import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import requests
from psycopg import sql

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = "/srv/aimessage"
HOST = "127.0.0.1"
PASSWORD = "violet-tractor-42"  # noqa: S105

Answer = requests.Response
Environment = dict[str, str]


class StandError(Exception):
    """Something that the drill needs is missing or did not start."""


def wait_until(ready: Callable[[], bool], *, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise StandError(f"Waited {seconds:.0f} s in vain: {what}")
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def database(server: str, suffix: str) -> Iterator[str]:
    """The URL of a database of its own on the server, which is dropped in the end."""
    parts = urlsplit(server)
    name = f"{parts.path.lstrip('/')}_{suffix}"
    admin = urlunsplit(parts._replace(path="/postgres"))
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(drop)
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlunsplit(parts._replace(path=f"/{name}"))
        finally:
            connection.execute(drop)


def manage(code: Path, environment: Environment, *arguments: str, **extra: str) -> str:
    """What manage.py of that code prints; raises StandError with what it wrote where it fails."""
    command = [str(code / ".venv/bin/python"), "manage.py", *arguments]
    done = subprocess.run(
        command, cwd=code, env={**environment, **extra}, capture_output=True, text=True, timeout=300
    )
    if done.returncode:
        raise StandError(f"manage.py {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
    return done.stdout


class Unit:
    """The service of deploy/systemd/aimessage@.service, as far as it can be played."""

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
    """One aimessage@.service with its aimessage@.socket."""

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
                # The socket is descriptor 3, and LISTEN_PID the process that takes it (sd_listen_fds).
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
        """As `systemctl stop`: SIGTERM, and all that it left is killed (KillMode=mixed)."""
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
        """SIGKILL to master and workers at once."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def folder_of_process(self) -> Path | None:
        """Where the running process was started: the code that it has."""
        return Path(f"/proc/{self.process.pid}/cwd").resolve() if self.process else None

    def close(self) -> None:
        try:
            self.stop()
        finally:
            self.close_port()

    def call(self, method: str, path: str, *, token: str = "", address: str = HOST, **rest: Any) -> Answer:
        """A request to this instance, with the headers that nginx would set."""
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": address, **bearer(token)}
        with session() as client:
            url = f"http://{HOST}:{self.port}{path}"
            return client.request(method, url, headers=headers, timeout=30, **rest)


def session() -> requests.Session:
    """One that heeds neither proxies nor certificates that the environment names."""
    made = requests.Session()
    made.trust_env = False
    return made


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


class Nginx:
    """Debian's nginx.conf with deploy/nginx/aimessage.conf in it; ports and folders are put in."""

    def __init__(self, folder: Path, upstreams: tuple[int, int]) -> None:
        """`upstreams` are the ports of the two instances."""
        self.folder = folder
        self.https, self.http = free_port(), free_port()
        self.certificate = folder / "cert.pem"
        self._make_certificate(folder / "key.pem")
        site = (ROOT / "deploy/nginx/aimessage.conf").read_text()
        changes = {
            "127.0.0.1:8001": f"{HOST}:{upstreams[0]}",
            "127.0.0.1:8002": f"{HOST}:{upstreams[1]}",
            "listen 80;": f"listen {HOST}:{self.http};",
            "listen 443 ssl http2;": f"listen {HOST}:{self.https} ssl http2;",
            "listen [::]:80;": "",
            "listen [::]:443 ssl http2;": "",
            "server_name chat.example.org;": "server_name localhost;",
            "/etc/aimessage/tls": str(folder),
            "/var/log/nginx": str(folder),
            "/srv/aimessage/staticfiles/": f"{ROOT}/staticfiles/",
        }
        (folder / "site.conf").write_text(replace_all(site, changes))
        main = Path("/etc/nginx/nginx.conf").read_text()
        temporary = "".join(
            f"{module}_temp_path {folder}/{module};\n"
            for module in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        changes = {
            # It has to read a folder that is the drill's alone.
            "user www-data;": "user root;" if os.geteuid() == 0 else "",
            # As docs/operations.md says.
            "worker_connections 768;": "worker_connections 16384;",
            "/run/nginx.pid": f"{folder}/nginx.pid",
            "/var/log/nginx": str(folder),
            "include /etc/nginx/modules-enabled/*.conf;": "",
            "include /etc/nginx/conf.d/*.conf;": temporary,
            "/etc/nginx/sites-enabled/*": f"{folder}/site.conf",
        }
        self.config = folder / "nginx.conf"
        self.config.write_text(replace_all(main, changes))

    def give_streams(self, instances: list[Instance]) -> None:
        """Leads new streams to these two; those that are open stay where they are."""
        site = self.folder / "site.conf"
        before, name, rest = site.read_text().partition("upstream aimessage_streams {")
        block, end, after = rest.partition("}")
        ports = iter(instances)
        block = re.sub(rf"(?<={HOST}:)\d+", lambda _: str(next(ports).port), block)
        site.write_text(before + name + block + end + after)
        self.process.send_signal(signal.SIGHUP)

    def _make_certificate(self, key: Path) -> None:
        request = "openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 2"
        names = f"-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:{HOST}"
        files = ["-keyout", str(key), "-out", str(self.certificate)]
        command = [*request.split(), *names.split(), *files]
        subprocess.run(command, check=True, capture_output=True)

    def start(self) -> None:
        command = ["nginx", "-c", str(self.config), "-e", f"{self.folder}/error.log", "-g", "daemon off;"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        wait_until(self._answers, seconds=10, what=f"nginx on port {self.https}")

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise StandError("nginx did not start; its message stands above")
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.https)) == 0

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def replace_all(text: str, changes: dict[str, str]) -> str:
    """Every one of the changes must find something: what is shipped is what is tested."""
    for old, new in changes.items():
        if old not in text:
            raise StandError(f"{old!r} is not in the configuration any more; tell the drill")
        text = text.replace(old, new)
    return text


@dataclass(frozen=True)
class Person:
    """Somebody with an account and a session."""

    id: int
    name: str
    token: str
    refresh_token: str


@dataclass
class Stand:
    database_url: str
    environment: Environment
    instances: list[Instance]
    nginx: Nginx
    folder: Path

    @property
    def url(self) -> str:
        return f"https://localhost:{self.nginx.https}"

    def call(self, method: str, path: str, *, token: str = "", **rest: Any) -> Answer:
        """A request through nginx."""
        headers = {**bearer(token), **rest.pop("headers", {})}
        with self.browser() as client:
            return client.request(method, self.url + path, headers=headers, timeout=90, **rest)

    def browser(self) -> requests.Session:
        """A client of its own, which trusts nginx's certificate."""
        made = session()
        made.verify = str(self.nginx.certificate)
        return made

    def register(self, name: str) -> Person:
        account = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        registered = self.call("POST", "/auth/register", json=account)
        if registered.status_code != 201:
            raise StandError(f"{name} could not register: {registered.status_code} {registered.text}")
        return self.log_in(name)

    def log_in(self, name: str) -> Person:
        answer = self.call("POST", "/auth/login", json={"username": name, "password": PASSWORD})
        if answer.status_code != 200:
            raise StandError(f"{name} could not log in: {answer.status_code} {answer.text}")
        body = answer.json()
        return Person(body["user"]["id"], name, body["access_token"], body["refresh_token"])


@contextmanager
def stand(server: str, suffix: str, code: Path, folder: Path) -> Iterator[Stand]:
    """Two instances of that code over one database of their own, and nginx in front."""
    folder.mkdir(mode=0o700)
    with ExitStack() as stack:
        url = stack.enter_context(database(server, suffix))
        environment = {
            "PATH": os.environ["PATH"],
            "SECRET_KEY": secrets.token_urlsafe(50),
            "DATABASE_URL": url,
            "AI_MESSAGE_HTTPS": "1",
            "AI_MESSAGE_TRUSTED_PROXIES": "1",
            "AI_MESSAGE_ENV_FILE": os.devnull,
            "AI_MESSAGE_LOGS_FOLDER": str(folder / "logs"),
            "AI_MESSAGE_THROTTLE_LOGIN": "off",
            "AI_MESSAGE_THROTTLE_REGISTER": "off",
            "AI_MESSAGE_THROTTLE_SEND": "off",
            "AI_MESSAGE_THROTTLE_REFRESH": "30/minute",
        }
        manage(code, environment, "migrate", "--noinput")
        instances = [Instance(code, environment, folder) for _ in range(2)]
        for instance in instances:
            stack.callback(instance.close)
            instance.start()
        nginx = Nginx(folder, (instances[0].port, instances[1].port))
        nginx.start()
        stack.callback(nginx.close)
        yield Stand(url, environment, instances, nginx, folder)


def needed_tools() -> list[str]:
    """The commands that the drill calls and that are not here."""
    tools = ["nginx", "openssl", "curl", "git", "tar", "bash", "systemd-analyze"]
    return [tool for tool in tools if shutil.which(tool) is None]
