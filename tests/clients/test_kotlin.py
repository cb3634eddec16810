"""The sketch for Kotlin in docs/app-developers.md compiles, and works."""

import shutil
import subprocess
from pathlib import Path

import pytest
import requests

from tests.clients.conftest import PASSWORD
from tests.clients.nodes import run

pytestmark = pytest.mark.once

PAGE = (Path(__file__).parents[2] / "docs/app-developers.md").read_text()
SKETCH = PAGE.split("```kotlin\n")[1].split("```")[0]
#: Android's org.json, as Debian's libandroid-json-org-java has it.
JSON = Path("/usr/share/java/json-android.jar")
MAIN = """
import kotlin.system.exitProcess
import org.json.JSONObject

fun main(arguments: Array<String>) {
    val chat = Messaging(arguments[0])
    try {
        chat.logIn("alice", "not-my-password")
    } catch (problem: Problem) {
        println("${problem.status} ${problem.code}")
    }
    chat.logIn("alice", "%s")
    println(JSONObject(chat.call("GET", "/auth/me")).getString("username"))
    chat.follow("") { event ->
        println(event)
        System.out.flush()
        if (event.optString("type") == "message.created") exitProcess(0)
    }
}
"""


def test_it_logs_in_and_follows(server: str, tmp_path: Path) -> None:
    if shutil.which("kotlinc") is None or not JSON.exists():
        pytest.skip("on Debian: apt install kotlin libandroid-json-org-java")
    (tmp_path / "Messaging.kt").write_text(SKETCH)
    (tmp_path / "Main.kt").write_text(MAIN % PASSWORD)
    jar = tmp_path / "chat.jar"
    run(["kotlinc", *tmp_path.glob("*.kt"), "-cp", JSON, "-include-runtime", "-d", jar])
    process = subprocess.Popen(
        ["java", "-cp", f"{jar}:{JSON}", "MainKt", server], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        shown = [process.stdout.readline() for _ in range(3)]
        login = {"username": "bob", "password": PASSWORD}
        tokens = requests.post(f"{server}/auth/login", json=login, timeout=30).json()
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        requests.post(
            f"{server}/messages", json={"recipient_id": 1, "content": "Noon?"}, headers=headers, timeout=30
        )
        rest, _ = process.communicate(timeout=60)
    finally:
        process.kill()

    assert shown[:2] == ["401 invalid_credentials\n", "alice\n"]
    assert "cursor" in shown[2]
    assert '"content":"Noon?"' in rest
