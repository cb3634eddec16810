"""Clients that note what they were told, and try again where they were told nothing."""

import http.client
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tests.factories import PASSWORD
from tests.faults.scale import REST
from tests.faults.servers import Application

#: Seconds a client waits for an answer before it takes the request for unanswered. Of 50 logins at once, the
#: last waits for half a minute where the processors have other work, too.
PATIENCE = 90
#: Seconds before the next try.
PAUSE = 0.05


class Unanswered(Exception):
    """The connection broke, or nothing came: whether the request was carried out is not known."""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    content: bytes
    seconds: float

    def json(self) -> Any:
        return json.loads(self.content)


class Caller:
    """A keep-alive connection to the application, opened anew where it broke."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self.port, self.token = port, token
        self.connection: http.client.HTTPConnection | None = None
        #: What `insist` tried so far, whatever came of it.
        self.tries = 0

    def call(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, **headers: str
    ) -> Answer:
        """Raises Unanswered. A keyword such as `idempotency_key` is a header."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if bearer := token or self.token:
            sent["Authorization"] = f"Bearer {bearer}"
        if body is not None:
            sent["Content-Type"] = "application/json"
        return self.send(method, path, None if body is None else json.dumps(body).encode(), sent)

    def send(self, method: str, path: str, content: bytes | None, headers: dict[str, str]) -> Answer:
        """Raises Unanswered."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        start = time.perf_counter()
        try:
            self.connection.request(method, path, content, headers)
            response = self.connection.getresponse()
            received = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unanswered(f"{method} {path}: {error!r}") from error
        if response.will_close:
            self.close()
        return Answer(response.status, dict(response.getheaders()), received, time.perf_counter() - start)

    def insist(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Tries until there is an answer other than 503."""
        while True:
            self.tries += 1
            try:
                answer = self.call(method, path, body, **headers)
                if answer.status != 503:
                    return answer
            except Unanswered:
                pass
            time.sleep(PAUSE)

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def admin_login(port: int, username: str, password: str, **headers: str) -> Answer:
    """As a browser does it, with the cookie and the token of the form; 302 is a success."""
    caller, path = Caller(port), "/admin/login/"
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    page = caller.send("GET", path, None, sent)
    token = page.content.decode().partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    form = {"csrfmiddlewaretoken": token, "username": username, "password": password}
    sent |= {
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": page.headers["Set-Cookie"].partition(";")[0],
        "Referer": f"http://127.0.0.1:{port}{path}",
    }
    answer = caller.send("POST", path, urlencode(form).encode(), sent)
    caller.close()
    return answer


@dataclass
class Person:
    pk: int
    username: str
    access: str
    refresh: str


def people(application: Application, count: int) -> list[Person]:
    """New users, each with a session."""
    script = f"""
import json
from accounts.models import User
from accounts.services.sessions import open_session
from django.contrib.auth.hashers import make_password
hashed, made = make_password({PASSWORD!r}), []
first = User.objects.count()
for n in range(first, first + {count}):
    user = User.objects.create_user(f"user{{n}}", f"user{{n}}@example.org", None)
    User.objects.filter(pk=user.pk).update(password=hashed)
    user.refresh_from_db()
    _, tokens = open_session(user)
    made.append([user.pk, user.username, tokens.access_token, tokens.refresh_token])
print("PEOPLE" + json.dumps(made))
"""
    printed = application.run(script)
    return [Person(*row) for row in json.loads(printed.partition("PEOPLE")[2].splitlines()[0])]


class Note(NamedTuple):
    """What a writer was told; when it first sent it, and when it was told; after how many tries."""

    pk: int
    start: float
    end: float
    tries: int


@dataclass
class Writer(threading.Thread):
    """Sends numbered messages to one other person until told to stop; each again until acknowledged."""

    port: int
    sender: Person
    recipient: Person
    done: threading.Event
    rest: float = REST
    #: What came back with 201, by its number.
    acknowledged: dict[int, Note] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    @property
    def mark(self) -> str:
        return f"from {self.sender.pk} number "

    def run(self) -> None:
        caller, number = Caller(self.port, self.sender.access), 0
        while not self.done.is_set():
            body = {"recipient_id": self.recipient.pk, "content": f"{self.mark}{number}"}
            key = f"{self.sender.pk}-{number}"
            start, tried = time.monotonic(), caller.tries
            answer = caller.insist("POST", "/messages", body, idempotency_key=key)
            if answer.status == 201:
                tries = caller.tries - tried
                self.acknowledged[number] = Note(answer.json()["id"], start, time.monotonic(), tries)
                number += 1
            else:
                self.refused.append(f"{answer.status} {answer.content[:200]!r}")
            time.sleep(self.rest)
        caller.close()


class Poller(threading.Thread):
    """Reads conversations by `after=<last id>`, as an app does that waits for news."""

    def __init__(self, port: int, reader: Person, conversation: str, done: threading.Event) -> None:
        super().__init__(daemon=True)
        self.port, self.reader, self.done = port, reader, done
        self.conversation = conversation
        self.path = f"/auth/conversations/{conversation}/messages?limit=500"
        self.seen: list[int] = []

    def run(self) -> None:
        caller = Caller(self.port, self.reader.access)
        while True:
            last_round = self.done.is_set()
            after = self.seen[-1] if self.seen else 0
            answer = caller.insist("GET", f"{self.path}&after={after}")
            rows = answer.json() if answer.status == 200 else []
            self.seen += [row["id"] for row in rows]
            if not rows and last_round:
                break
            time.sleep(0.1 if not rows else 0)
        caller.close()
