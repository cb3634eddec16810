"""The TypeScript client in a browser, on a page of another origin than the server's."""

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from selenium import webdriver

from tests.clients.nodes import needs_node, run
from tests.faults.servers import Application, serving
from tests.ports import free_port

pytestmark = pytest.mark.browser

PACKAGE = Path(__file__).parents[2] / "clients/typescript"
PASSWORD = "violet-tractor-42"
PAGE = """<!doctype html><title>Client</title>
<script type="importmap">{"imports": {"openapi-fetch": "./openapi-fetch/dist/index.mjs"}}</script>
"""
#: What the page does, given the server's address; `done` takes what came out.
STORY = """
const [baseUrl, password, done] = arguments;
(async () => {
  const { isProblem, MessagingClient, unwrap } = await import("./dist/index.js");
  const logIn = async (username) => {
    const chat = new MessagingClient({ baseUrl });
    return [chat, await chat.logIn({ username, password })];
  };
  const [[alice, aliceUser], [bob]] = await Promise.all([logIn("alice"), logIn("bob")]);
  const told = { texts: [], pages: 0 };
  for await (const event of alice.events()) {
    if (event.type === "hello") {
      for (const content of ["one", "two"]) {
        await unwrap(bob.api.POST("/messages", {
          params: { header: { "Idempotency-Key": content } },
          body: { recipient_id: aliceUser.id, content },
        }));
      }
    }
    if (event.type === "message.created") told.texts.push(event.data.message.content);
    if (told.texts.length === 2) break;
  }
  for await (const page of alice.pages(alice.api.GET("/messages", { params: { query: { limit: 1 } } }))) {
    told.pages += page.length;
  }
  await bob.logOut();
  const refused = await unwrap(bob.api.GET("/auth/me")).catch((error) => error);
  told.code = isProblem(refused) && refused.code;
  done(told);
})().catch((error) => done(String(error)));
"""


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[str]:
    """Where a page is that may load the client."""
    node = needs_node(PACKAGE)
    run(
        [
            node,
            PACKAGE / "node_modules/typescript/bin/tsc",
            "--project",
            PACKAGE,
            "--outDir",
            tmp_path / "dist",
        ]
    )
    (tmp_path / "openapi-fetch").symlink_to(PACKAGE / "node_modules/openapi-fetch")
    (tmp_path / "index.html").write_text(PAGE)
    files = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    files.func.extensions_map[".mjs"] = "text/javascript"  # type: ignore[attr-defined]
    with ThreadingHTTPServer(("127.0.0.1", free_port()), files) as pages:
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{pages.server_port}"
        pages.shutdown()


def test_two_people_talk_from_another_origin(origin: str, browser: webdriver.Chrome, tmp_path: Path) -> None:
    settings = {"AI_MESSAGE_CORS_ORIGINS": origin}
    made = Application(tmp_path / "server", f"sqlite:///{tmp_path}/db.sqlite3", workers=2, settings=settings)
    with serving(made) as server:
        url = f"http://127.0.0.1:{server.port}"
        for name in ("alice", "bob"):
            account = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
            requests.post(f"{url}/auth/register", json=account, timeout=30).raise_for_status()
        browser.get(origin)
        browser.set_script_timeout(60)

        told: Any = browser.execute_async_script(STORY, url, PASSWORD)

    assert told == {"texts": ["one", "two"], "pages": 2, "code": "not_authenticated"}, json.dumps(told)
