"""Whether `/health` answers while peers send and read slowly or not at all, to a server without a proxy."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.peers import (
    ALIVE,
    ENDLESS_HEAD,
    NO_BODY,
    SILENT,
    SLOW_BODY,
    SLOW_CHUNKS,
    SLOW_HEAD,
    Crowd,
    Peer,
    ask,
    asking,
    besieged,
    waits,
)
from tests.faults.scale import SIEGE
from tests.faults.servers import Application, serving

pytestmark = pytest.mark.faults

FILE = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
LIST = "/messages?limit=200"
#: A list of 4 MB.
MESSAGES = """
from accounts.models import User
from accounts.services.sessions import open_session
from messaging.services.messages import send_message
alice, bob = (User.objects.create(username=name, email=f"{name}@example.org") for name in ("alice", "bob"))
for _ in range(200):
    send_message(alice, recipient_id=bob.pk, content="x" * 20_000)
print(open_session(alice)[1].access_token)
"""


@pytest.fixture(scope="module", params=["http", "https"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """As `make run` starts it, over SQLite, with and without a certificate."""
    folder = tmp_path_factory.mktemp(request.param)
    settings = {}
    if request.param == "https":
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        command += ["-subj", "/CN=localhost", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
        subprocess.run(command, check=True, capture_output=True)
        settings = {
            "AI_MESSAGE_SSL_CERT": str(folder / "cert.pem"),
            "AI_MESSAGE_SSL_KEY": str(folder / "key.pem"),
        }
    database = f"sqlite:///{folder}/test.sqlite3"
    application = Application(folder, database, workers=2, settings=settings)
    application.manage("collectstatic", "--noinput", "--verbosity", "0")
    with serving(application):
        token = application.run(MESSAGES).strip()
        yield application, request.param == "https", token


Crowds = Callable[[str], list[tuple[Peer, int]]]
#: By what is done: the peers, and how many of each. The token is of somebody who has a long list.
SIEGES: dict[str, Crowds] = {
    "bodies_that_never_come": lambda token: [(NO_BODY, 60)],
    "bodies_that_drip": lambda token: [(SLOW_BODY, 60), (SLOW_CHUNKS, 20)],
    "heads_that_drip": lambda token: [(SLOW_HEAD, 60), (ENDLESS_HEAD, 20)],
    "a_file_that_nobody_reads": lambda token: [(asking(FILE, times=40), 50)],
    "a_list_that_nobody_reads": lambda token: [(asking(LIST, times=20, token=token), 50)],
    "a_file_that_is_read_in_drops": lambda token: [(asking(FILE, times=40, reads=200), 50)],
    "idle_connections": lambda token: [(SILENT, 2300)],
    "all_of_them": lambda token: [
        (NO_BODY, 60),
        (SLOW_BODY, 40),
        (SLOW_HEAD, 60),
        (asking(FILE, times=40), 30),
        (asking(LIST, times=20, token=token), 30),
        (asking(FILE, times=40, reads=200), 30),
        (SILENT, 500),
    ],
}
WAVES = ["bodies_that_never_come", "heads_that_drip", "a_file_that_nobody_reads"]


@pytest.mark.parametrize("siege", SIEGES)
def test_it_is_alive_under(siege: str, server: Any, figure: Any) -> None:
    application, tls, token = server
    crowds = [Crowd(application.port, peer, count, tls=tls) for peer, count in SIEGES[siege](token)]

    hold(application, crowds, figure, tls=tls)


@pytest.mark.parametrize("siege", WAVES)
def test_it_is_alive_under_wave_after_wave_of(siege: str, server: Any, figure: Any) -> None:
    application, tls, token = server
    crowds = [Crowd(application.port, peer, count, tls=tls, wave=2) for peer, count in SIEGES[siege](token)]

    hold(application, crowds, figure, tls=tls)


def test_it_is_alive_under_handshakes_that_never_end(server: Any, figure: Any) -> None:
    application, tls, _ = server
    if not tls:
        pytest.skip("there are none without TLS")
    crowds = [
        Crowd(application.port, Peer(b"\x16\x03\x01", b"\x02" * 1000), 60),
        Crowd(application.port, SILENT, 60),
    ]

    hold(application, crowds, figure, tls=tls)


def hold(application: Application, crowds: list[Crowd], figure: Any, *, tls: bool) -> None:
    workers = application.worker_pids()
    assert ask(application.port, "/health", tls=tls)
    with besieged(*crowds):
        waited = waits(application.port, SIEGE, tls=tls)
    figure(
        peers=sum(crowd.count for crowd in crowds),
        came=sum(crowd.came for crowd in crowds),
        asked=len(waited),
        slowest_health=f"{max(waited) * 1000:.0f} ms",
    )
    assert max(waited) < ALIVE
    assert all(crowd.came >= crowd.count for crowd in crowds)
    assert application.worker_pids() == workers


def test_a_stop_does_not_wait_for_slow_peers(tmp_path: Path) -> None:
    application = Application(tmp_path, f"sqlite:///{tmp_path}/test.sqlite3", workers=2)
    with serving(application), besieged(Crowd(application.port, SILENT, 200)):
        application.process.terminate()
        # Idle ones have the two seconds in which a request may be on its way.
        assert application.process.wait(10) == 0
