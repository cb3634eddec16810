"""deploy/compose.yaml and what it uses, without an engine; `make container-drill` runs it all."""

import os
import re
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands, load_command_class

from aimessage.database_url import parse_database_url
from aimessage.env_file import parse_env
from operations.maintenance.tests.certificates import make_certificate
from tests.ports import free_port

pytestmark = pytest.mark.once

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
OURS = {name: one for name, one in COMPOSE["services"].items() if name != "database"}


def test_the_oldest_compose_takes_the_file() -> None:
    assert set(COMPOSE) <= {"services", "volumes", "secrets", "x-app", "x-job"}


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="there is no docker-compose")
def test_docker_compose_takes_the_file(tmp_path: Path) -> None:
    shutil.copytree(DEPLOY, tmp_path / "deploy", ignore=shutil.ignore_patterns("env", "database-password"))
    for name in ("env", "database-password"):
        (tmp_path / "deploy" / name).touch()
    command = [shutil.which("docker-compose") or "", "-f", str(tmp_path / "deploy/compose.yaml"), "config"]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["migrate", "backup", "sweep"])
def test_a_job_runs_a_command_that_there_is(name: str) -> None:
    python, script, command, *arguments = COMPOSE["services"][name]["command"]

    assert (python, script) == ("python", "manage.py")
    parser = load_command_class(get_commands()[command], command).create_parser(script, command)
    parser.parse_args(arguments)


def test_jobs_start_only_by_name_and_once() -> None:
    for name in ("backup", "sweep"):
        assert COMPOSE["services"][name]["profiles"] == ["jobs"]
        assert COMPOSE["services"][name]["restart"] == "no"


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_container_has_the_database_also_by_exec(name: str) -> None:
    service = OURS[name]
    url = parse_database_url(service["environment"]["DATABASE_URL"], base=DEPLOY)

    assert "entrypoint" not in service
    assert url["PASSWORD"] == ""
    assert service["environment"]["AI_MESSAGE_DATABASE_PASSWORD_FILE"] == "/run/secrets/database-password"
    assert service["secrets"] == ["database-password"]


def test_the_application_is_no_superuser_of_the_database() -> None:
    environment = COMPOSE["services"]["database"]["environment"]
    role = parse_database_url(OURS["app"]["environment"]["DATABASE_URL"], base=DEPLOY)["USER"]
    script = (DEPLOY / "postgres/role.sh").read_text()

    assert environment["POSTGRES_USER"] != role
    assert f"CREATE ROLE {role} LOGIN PASSWORD :'password';" in script
    assert os.access(DEPLOY / "postgres/role.sh", os.X_OK)


def test_the_image_has_the_client_of_the_server_in_compose() -> None:
    [server] = re.findall(r"^postgres:(\d+)", COMPOSE["services"]["database"]["image"])

    assert f"postgresql-client-{server}" in (DEPLOY / "Dockerfile").read_text()


def test_the_example_of_settings_can_be_read() -> None:
    found = parse_env((DEPLOY / "env.example").read_text(), "env.example")

    assert {"SECRET_KEY", "DATABASE_URL", "AI_MESSAGE_DOMAIN"} <= set(found)


# --- HEALTHCHECK -------------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        good = self.path == "/health" and self.headers["Host"] == "localhost"
        self.send_response(self.server.status if good else 400)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    made = HTTPServer(("127.0.0.1", 0), Handler)
    made.status = 200  # type: ignore[attr-defined]
    yield made
    made.shutdown()
    made.server_close()


def check_health(**settings: str) -> bool:
    command = [sys.executable, str(DEPLOY / "health.py")]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=30)
    assert "Traceback" not in done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("host", ["", "0.0.0.0", "127.0.0.1", "[::]"])  # noqa: S104
@pytest.mark.parametrize("status", [200, 503])
def test_the_health_check_asks_on_the_port_of_the_settings(server: Any, host: str, status: int) -> None:
    server.status = status
    threading.Thread(target=server.serve_forever, daemon=True).start()

    asked = check_health(AI_MESSAGE_PORT=str(server.server_port), AI_MESSAGE_HOST=host)

    assert asked is (status == 200)


def test_the_health_check_speaks_tls_where_the_server_does(server: Any, tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = str(server.server_port)

    assert check_health(AI_MESSAGE_PORT=port, AI_MESSAGE_SSL_CERT=str(cert), AI_MESSAGE_SSL_KEY=str(key))
    assert not check_health(AI_MESSAGE_PORT=port)


def test_the_health_check_fails_where_nothing_listens() -> None:
    port = str(free_port())

    assert not check_health(AI_MESSAGE_PORT=port)
    assert not check_health(AI_MESSAGE_PORT="many")
