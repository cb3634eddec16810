"""What a client or a proxy says about itself, to a real gunicorn, by every kind of address."""

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.factories import PASSWORD
from tests.faults.clients import Person, people
from tests.faults.servers import Application, serving
from tests.ports import free_port

pytestmark = pytest.mark.once

#: Headers that some server or proxy believes, in every spelling that a variable of WSGI might come of.
CLAIMS = {
    "SCRIPT_NAME": "/mess",
    "Script-Name": "/mess",
    "PATH_INFO": "/health",
    "Path-Info": "/health",
    "X-Script-Name": "/mess",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Path": "/health",
    "X-Original-URL": "/health",
    "X-Original-URI": "/health",
    "X-Rewrite-URL": "/health",
    "RAW_URI": "/health",
    "QUERY_STRING": "limit=2",
    "Query-String": "limit=2",
    "REQUEST_METHOD": "DELETE",
    "X-HTTP-Method-Override": "DELETE",
    "X-Method-Override": "DELETE",
    "X-Forwarded-Proto": "https",
    "X_Forwarded_Proto": "https",
    "X-Forwarded-Protocol": "ssl",
    "X-Forwarded-Ssl": "on",
    "X-Forwarded-Scheme": "https",
    "X-Scheme": "https",
    "X-Url-Scheme": "https",
    "Front-End-Https": "on",
    "HTTPS": "on",
    "wsgi.url_scheme": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Server": "evil.example",
    "X-Original-Host": "evil.example",
    "X-Forwarded-Port": "444",
    "SERVER_NAME": "evil.example",
    "SERVER_PORT": "444",
    "X-Forwarded-For": "203.0.113.9",
    "X_Forwarded_For": "203.0.113.9",
    "X-Real-IP": "203.0.113.9",
    "X-Client-IP": "203.0.113.9",
    "Client-IP": "203.0.113.9",
    "True-Client-IP": "203.0.113.9",
    "CF-Connecting-IP": "203.0.113.9",
    "X-Cluster-Client-IP": "203.0.113.9",
    "Forwarded": "for=203.0.113.9;proto=https;host=evil.example",
    "REMOTE_ADDR": "203.0.113.9",
    "Remote-Addr": "203.0.113.9",
    "REMOTE_USER": "alice",
    "Remote-User": "alice",
    "Via": "1.1 evil.example",
}


@dataclass
class Door:
    """One of the addresses that a server listens on."""

    family: socket.AddressFamily
    address: Any
    #: What a client of it is called.
    client: str | None

    def call(self, method: str, path: str, headers: dict[str, str], body: Any = None) -> tuple[int, Any, Any]:
        """Status, headers and body of the answer."""
        plain = socket.socket(self.family)
        plain.settimeout(30)
        plain.connect(self.address)
        connection = HTTPConnection("localhost")
        connection.sock = plain
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        received = answer.read()
        connection.close()
        return answer.status, answer.headers, received


Served = tuple[Application, dict[str, Door], Person]


def served(folder: Path, **settings: str) -> Application:
    sixth = free_port()
    application = Application(folder, f"sqlite:///{folder}/test.sqlite3", workers=1, settings=settings)
    binds = [f"127.0.0.1:{application.port}", f"[::1]:{sixth}", f"unix:{folder}/socket"]
    application.environment["GUNICORN_CMD_ARGS"] = " ".join(f"--bind {bind}" for bind in binds)
    application.doors = {  # type: ignore[attr-defined]
        "127.0.0.1": Door(socket.AF_INET, ("127.0.0.1", application.port), "127.0.0.1"),
        "::1": Door(socket.AF_INET6, ("::1", sixth), "::1"),
        "unix": Door(socket.AF_UNIX, f"{folder}/socket", None),
    }
    return application


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server with no proxy in front, and somebody who has two messages."""
    with serving(served(tmp_path_factory.mktemp("alone"))) as application:
        yield application, *two_with_messages(application)


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The same behind one proxy."""
    folder = tmp_path_factory.mktemp("behind")
    with serving(served(folder, AI_MESSAGE_TRUSTED_PROXIES="1")) as application:
        yield application, *two_with_messages(application)


def two_with_messages(application: Any) -> list[Person]:
    alice, bob = people(application, 2)
    for _ in range(2):
        text = {"recipient_id": bob.pk, "content": "Noon?"}
        assert application.doors["127.0.0.1"].call("POST", "/messages", bearer(alice), text)[0] == 201
    return [alice]


def bearer(person: Person) -> dict[str, str]:
    return {"Authorization": f"Bearer {person.access}"}


@pytest.mark.parametrize("door", ["127.0.0.1", "::1", "unix"])
@pytest.mark.parametrize("name", CLAIMS)
def test_without_a_proxy_nothing_that_a_client_says_about_itself_is_believed(
    alone: Any, door: str, name: str
) -> None:
    application, alice = alone
    call: Callable[..., Any] = application.doors[door].call
    status, headers, body = call("GET", "/messages?limit=1", bearer(alice))
    assert status == 200
    assert headers["Link"].startswith("<http://localhost/messages?")

    claimed = call("GET", "/messages?limit=1", {**bearer(alice), name: CLAIMS[name]})

    assert (claimed[0], claimed[1]["Link"], claimed[2]) == (status, headers["Link"], body)


@pytest.mark.parametrize("door", ["127.0.0.1", "::1", "unix"])
def test_without_a_proxy_all_claims_together_change_nobodys_address(alone: Any, door: str) -> None:
    application, alice = alone
    entry = application.doors[door]
    account = {"username": alice.username, "password": PASSWORD}

    status, _, body = entry.call("POST", "/auth/login", CLAIMS, account)

    assert status == 200
    token = {"Authorization": f"Bearer {json.loads(body)['access_token']}"}
    newest = json.loads(entry.call("GET", "/auth/sessions", token)[2])[0]
    assert (newest["is_current"], newest["ip_address"]) == (True, entry.client)


@pytest.mark.parametrize("door", ["127.0.0.1", "::1", "unix"])
@pytest.mark.parametrize("name", ["SCRIPT_NAME", "Script-Name", "X-Script-Name", "X-Forwarded-Prefix"])
@pytest.mark.parametrize("server", ["alone", "behind"])
def test_no_prefix_leads_past_the_rules_of_a_proxy(
    request: pytest.FixtureRequest, server: str, door: str, name: str
) -> None:
    application, _ = request.getfixturevalue(server)

    assert application.doors[door].call("GET", "/x/admin/login/", {name: "/x"})[0] == 404


@pytest.mark.parametrize("door", ["127.0.0.1", "::1", "unix"])
def test_a_line_of_the_proxy_protocol_is_no_request(alone: Any, door: str) -> None:
    entry = alone[0].doors[door]
    with socket.socket(entry.family) as plain:
        plain.settimeout(30)
        plain.connect(entry.address)
        plain.sendall(
            b"PROXY TCP4 203.0.113.9 127.0.0.1 5 6\r\nGET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        answer = plain.recv(65536)

    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("door", ["127.0.0.1", "::1", "unix"])
def test_a_trusted_proxy_is_believed_as_the_shipped_nginx_needs_it(behind: Any, door: str) -> None:
    application, alice = behind
    entry = application.doors[door]
    said = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Prefix": "/api",
        # What nginx passes on from the client, and nobody may believe.
        "X-Forwarded-Ssl": "off",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "host=evil.example",
    }

    status, headers, _ = entry.call("GET", "/messages?limit=1", {**bearer(alice), **said})
    assert status == 200
    assert headers["Link"].startswith("<https://localhost/api/messages?")

    account = {"username": alice.username, "password": PASSWORD}
    body = entry.call("POST", "/auth/login", said, account)[2]
    token = {"Authorization": f"Bearer {json.loads(body)['access_token']}"}
    newest = json.loads(entry.call("GET", "/auth/sessions", token)[2])[0]
    assert newest["ip_address"] == "203.0.113.9"


def test_the_start_prints_addresses_that_work(alone: Any) -> None:
    application, _ = alone
    port, sixth = application.port, application.doors["::1"].address[1]

    log = application.log()
    assert f"Open http://127.0.0.1:{port}/\n" in log
    assert f"Open http://[::1]:{sixth}/\n" in log
