"""Event streams as clients hold them: a browser by fetch and by EventSource, and curl."""

import json
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver

from tests.browser.conftest import Server
from tests.browser.test_story import sign_up
from tools.drill.nginx import Nginx

pytestmark = pytest.mark.browser

#: Milliseconds within which a message is to be seen, on a busy machine.
A_MOMENT = 3000
#: Each opens a stream as bob, has alice write once it says hello, and resolves with what it then says.
SEND = """
const [alices, bobs, bob, done] = arguments;
const json = {"Content-Type": "application/json"};
let sent;
const send = () => { sent = performance.now(); fetch("/messages", {method: "POST",
    headers: {...json, Authorization: "Bearer " + alices},
    body: JSON.stringify({recipient_id: bob, content: "Noon?"})}); };
const seen = data => done([JSON.parse(data), performance.now() - sent]);
"""
BY_FETCH = """
const answer = await fetch("/events/stream", {headers: {Authorization: "Bearer " + bobs}});
const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
let text = "";
for (;;) {
    const {value, done: over} = await reader.read();
    if (over) return done("ended: " + text);
    text += value;
    if (!sent && text.includes("event: hello")) send();
    const found = /event: message.created\\n(?:id: .*\\n)?data: (.*)\\n\\n/.exec(text);
    if (found) return seen(found[1]);
}
"""
BY_EVENT_SOURCE = """
const answer = await fetch("/events/ticket", {method: "POST", headers: {Authorization: "Bearer " + bobs}});
const source = new EventSource("/events/stream?ticket=" + (await answer.json()).ticket);
source.addEventListener("hello", send);
source.addEventListener("message.created", event => { source.close(); seen(event.data); });
source.onerror = () => done("broke");
"""


@pytest.fixture(params=["the server alone", "nginx as it is shipped"])
def door(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Iterator[str]:
    """The address that clients know."""
    if request.param == "the server alone":
        yield server.url
        return
    port = int(server.url.rpartition(":")[2])
    nginx = Nginx(tmp_path, (port, port))
    nginx.start()
    try:
        yield f"https://localhost:{nginx.https}"
    finally:
        nginx.close()


@pytest.mark.parametrize("way", [BY_FETCH, BY_EVENT_SOURCE], ids=["fetch", "EventSource"])
def test_a_browser_sees_a_message_within_a_moment(
    server: Server, door: str, browser: webdriver.Chrome, way: str
) -> None:
    tag = uuid.uuid4().hex[:6]
    _, alices = sign_up(server, f"alice-{tag}")
    bob, bobs = sign_up(server, f"bob-{tag}")
    browser.get(f"{door}/health")
    browser.set_script_timeout(30)

    script = f"{SEND} (async () => {{ {way} }})().catch(error => done(String(error)));"
    found: Any = browser.execute_async_script(script, alices, bobs, bob)

    assert isinstance(found, list), found
    event, took = found
    assert (event["type"], event["data"]["message"]["content"]) == ("message.created", "Noon?")
    assert took < A_MOMENT


def test_curl_sees_a_message_within_a_moment(server: Server, door: str) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is missing")
    tag = uuid.uuid4().hex[:6]
    _, alices = sign_up(server, f"alice-{tag}")
    bob, bobs = sign_up(server, f"bob-{tag}")
    command = [curl, "-skN", "--max-time", "20", "-H", f"Authorization: Bearer {bobs}"]
    with subprocess.Popen([*command, f"{door}/events/stream"], stdout=subprocess.PIPE, text=True) as stream:
        assert stream.stdout is not None
        lines = iter(stream.stdout)
        assert next(line for line in lines if line.startswith("event:")) == "event: hello\n"
        server.call("POST", "/messages", alices, json={"recipient_id": bob, "content": "Noon?"})
        assert next(line for line in lines if line.startswith("event:")) == "event: message.created\n"
        data = next(line for line in lines if line.startswith("data:"))
        stream.kill()

    assert json.loads(data.removeprefix("data: "))["data"]["message"]["content"] == "Noon?"
