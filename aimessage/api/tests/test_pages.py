"""`/` for people, /chat, and what browsers ask for by themselves."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test.utils import override_script_prefix
from pytest_django import Settings
from rest_framework.test import APIClient

from aimessage.settings import BASE_DIR
from aimessage.tests.asserts import assert_problem

WEB = BASE_DIR / "clients/web"
FILES = sorted(path for path in WEB.rglob("*") if path.is_file())
SCRIPTS = [path for path in FILES if path.suffix == ".js"]
#: Lines of the whole example, so that it can be read in one go.
LINES = 1_200
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize("accept", [BROWSER, "text/html", "application/json;q=0.1, text/html"])
def test_a_browser_gets_a_page_at_the_root(client: APIClient, accept: str) -> None:
    answer = client.get("/", HTTP_ACCEPT=accept)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "AI Messaging" in answer.content.decode()
    assert "Accept" in answer.headers["Vary"]
    assert_strict(answer.headers["Content-Security-Policy"])


@pytest.mark.parametrize(
    "accept", [None, "*/*", "application/json", "application/json, text/html;q=0.9", "application/*, text/*"]
)
def test_everybody_else_gets_json(client: APIClient, accept: str | None) -> None:
    answer = client.get("/", **({"HTTP_ACCEPT": accept} if accept else {}))

    assert answer.json() == {"message": "Hello World", "docs": "/docs"}
    assert answer.headers["Content-Type"] == "application/json"
    assert "Accept" in answer.headers["Vary"]


def test_the_root_takes_no_post(client: APIClient) -> None:
    assert_problem(client.post("/", {}), 405)
    assert_problem(client.get("/", HTTP_ACCEPT="image/png"), 406)


@pytest.mark.django_db
def test_the_front_page_leads_somewhere(client: APIClient) -> None:
    links = re.findall(r'<a href="([^"]+)"', client.get("/", HTTP_ACCEPT=BROWSER).content.decode())

    assert {"/chat", "/docs", "/redoc", "/admin/"} == set(links)
    for link in links:
        assert client.get(link, HTTP_ACCEPT=BROWSER, follow=True).status_code == 200


def test_the_chat_can_be_taken_away(client: APIClient, settings: Settings) -> None:
    settings.CHAT = False

    assert_problem(client.get("/chat"), 404, "Not found")
    assert "/chat" not in client.get("/", HTTP_ACCEPT=BROWSER).content.decode()


def test_the_chat_is_a_page_that_runs_its_own_scripts_alone(client: APIClient) -> None:
    answer = client.get("/chat", HTTP_ACCEPT=BROWSER)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = answer.headers["Content-Security-Policy"]
    assert_strict(policy)
    assert {"script-src 'self'", "connect-src 'self'", "require-trusted-types-for 'script'"} <= {
        part.strip() for part in policy.split(";")
    }
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "<title>AI Messaging</title>" in answer.content.decode()


@pytest.mark.parametrize(("prefix", "path"), [("", "/chat"), ("", "/chat/"), ("/api", "/chat")])
def test_its_files_are_found_below_every_prefix(client: APIClient, prefix: str, path: str) -> None:
    with override_script_prefix(prefix):  # as Django's handler does it with SCRIPT_NAME
        html = client.get(path).content.decode()
    addresses = re.findall(r'(?:src|href)="([^"#]+)"', html)

    assert f"{prefix}/static/chat/app.js" in addresses
    for address in addresses:
        assert address.startswith(f"{prefix}/static/")
        assert finders.find(address.removeprefix(f"{prefix}/static/")), address


def test_the_product_is_called_what_the_operator_calls_it(client: APIClient, settings: Settings) -> None:
    settings.NAME = "Tom & Jerry"

    for path in ("/", "/chat"):
        assert "<title>Tom &amp; Jerry</title>" in client.get(path, HTTP_ACCEPT=BROWSER).content.decode()


@pytest.mark.parametrize("on", [False, True])
def test_it_says_whether_there_is_an_assistant(client: APIClient, settings: Settings, on: bool) -> None:
    settings.ASSISTANT = replace(settings.ASSISTANT, on=on)

    assert ("data-assistant" in client.get("/chat").content.decode()) == on


def assert_strict(policy: str) -> None:
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "*" not in policy


# --- The example itself ---


def test_the_example_is_short() -> None:
    assert len(FILES) > 8
    lines = {path.name: len(path.read_text().splitlines()) for path in FILES}
    assert sum(lines.values()) <= LINES, lines


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_names_another_host(path: Path) -> None:
    assert re.findall(r"(?:https?:)?//[\w-]+\.[\w.-]+|\bwss?:", path.read_text()) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_texts_are_never_markup(path: Path) -> None:
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "srcdoc",
    ):
        assert word not in path.read_text()


def test_the_page_has_nothing_inline() -> None:
    html = (WEB / "index.html").read_text()

    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", html) == []


# --- What nobody links to ---


def test_the_icon_and_the_word_to_crawlers_are_there(client: APIClient) -> None:
    icon, robots = client.get("/favicon.ico"), client.get("/robots.txt")

    assert (icon.status_code, icon.headers["Content-Type"]) == (200, "image/x-icon")
    assert b"".join(icon.streaming_content)[:4] == b"\0\0\1\0"
    assert (robots.status_code, b"".join(robots.streaming_content)) == (200, b"User-agent: *\nDisallow: /\n")
