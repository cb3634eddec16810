"""A server as `make run` starts it, and a headless Chromium to look at it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tests.browser.postbox import Postbox
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "test-artifacts"
#: Seconds that a first start may take, virtual environment included.
START_LIMIT = 120
CHROMIUM_FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@dataclass(frozen=True)
class Server:
    url: str
    environment: dict[str, str]

    def call(self, method: str, path: str, token: str | None = None, **kwargs: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.request(method, self.url + path, headers=headers, timeout=30, **kwargs)

    def manage(self, *arguments: str, **environment: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(command, cwd=ROOT, env={**self.environment, **environment}, check=True)


@pytest.fixture(scope="session")
def postbox() -> Iterator[Postbox]:
    """Where the server's mails arrive."""
    postbox = Postbox(free_port())
    postbox.server.start()
    yield postbox
    postbox.server.stop()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, postbox: Postbox) -> Iterator[Server]:
    """On a database of its own: BROWSER_DATABASE_URL where it is set, and SQLite otherwise."""
    database = os.environ.get("BROWSER_DATABASE_URL")
    settings = {
        "AI_MESSAGE_MAIL_URL": f"smtp+plain://127.0.0.1:{postbox.port}",
        **({"DATABASE_URL": database} if database else {}),
    }
    with serving(tmp_path_factory.mktemp("server"), **settings) as one:
        yield one


@contextmanager
def serving(folder: Path, **settings: str) -> Iterator[Server]:
    """What `make run` starts, with a database, logs and mails in `folder`."""
    port = free_port()
    environment = {
        name: value for name, value in os.environ.items() if name not in {"AI_MESSAGE_ENV_FILE", "SECRET_KEY"}
    }
    environment |= {
        "AI_MESSAGE_HOST": "127.0.0.1",
        "AI_MESSAGE_PORT": str(port),
        "AI_MESSAGE_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "AI_MESSAGE_LOGS_FOLDER": str(folder / "logs"),
        "AI_MESSAGE_MAIL_URL": f"file:{folder}/outbox",
        "DATABASE_URL": f"sqlite:///{folder}/browser.sqlite3",
        "DJANGO_SETTINGS_MODULE": "aimessage.settings",
        **settings,
    }
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            ["make", "run"], cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            running = Server(f"http://127.0.0.1:{port}", environment)
            _wait_for(running, process, folder / "server.log")
            yield running
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=90)


def _wait_for(server: Server, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if server.call("GET", "/health").status_code == 200:
                return
        except requests.ConnectionError:
            time.sleep(0.2)
    pytest.fail(f"`make run` did not come up:\n{log.read_text()}")


def open_window(*, width: int = 1280, height: int = 900) -> webdriver.Chrome:
    """A Chromium of its own, with nothing of any other in it."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.fail("Chromium is missing. On Debian: apt install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.accept_insecure_certs = True  # nginx has a certificate that the test made
    for flag in CHROMIUM_FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    ARTIFACTS.mkdir(exist_ok=True)
    window = webdriver.Chrome(options=options, service=Service(driver))
    window.implicitly_wait(15)
    resize(window, width=width, height=height)
    return window


def resize(window: webdriver.Chrome, *, width: int, height: int) -> None:
    """As a phone where it is narrow; Chromium's own windows are never as narrow as one."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


@pytest.fixture
def browser(request: pytest.FixtureRequest) -> Iterator[webdriver.Chrome]:
    """Chromium; its last sight stays in test-artifacts/ when the test fails."""
    window = open_window()
    try:
        yield window
        window.save_screenshot(str(ARTIFACTS / f"{request.node.name}.png"))
    finally:
        window.quit()


@pytest.fixture
def phone() -> Iterator[webdriver.Chrome]:
    """Another Chromium, as narrow as a phone."""
    window = open_window(width=390, height=844)
    try:
        yield window
    finally:
        window.quit()
