"""What the drill runs on: a database, two instances started as the unit file says, nginx as it is shipped."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import requests
from psycopg import sql

from tools.drill.nginx import Nginx
from tools.drill.unit import Answer, Environment, Instance, StandError, bearer, manage, session

PASSWORD = "violet-tractor-42"  # noqa: S105


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
