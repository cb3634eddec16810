"""A deployment to test: a database, two instances as the unit file says, and nginx as it is shipped."""

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import requests
from psycopg import sql

from tools.drill.nginx import Nginx
from tools.drill.unit import Answer, Environment, Instance, StandError, bearer, manage, session

PASSWORD = "violet-tractor-42"  # noqa: S105


@contextmanager
def database(server: str, suffix: str) -> Iterator[str]:
    """Creates a database on the server, yields its URL, and drops it."""
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

    def call(
        self,
        method: str,
        path: str,
        *,
        token: str = "",
        headers: dict[str, str] | None = None,
        json: Mapping[str, str | int] | None = None,
        data: bytes | Iterable[bytes] | None = None,
    ) -> Answer:
        headers = {**bearer(token), **(headers or {})}
        with self.session() as client:
            url = self.url + path
            return client.request(method, url, headers=headers, json=json, data=data, timeout=90)

    def send(self, sender: Person, recipient: Person, content: str) -> None:
        answer = self.call(
            "POST",
            "/messages",
            token=sender.token,
            json={"recipient_id": recipient.id, "content": content},
        )
        answer.raise_for_status()

    def session(self) -> requests.Session:
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
