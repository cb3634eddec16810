"""The examples of docs/own-users.md make assertions that work."""

import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import ExternalIdentity
from tests.assertions import ISSUER, ISSUER_KEY, SECRET

pytestmark = pytest.mark.django_db

PAGE = (Path(__file__).parents[1] / "docs/own-users.md").read_text()
# What stands in for the package where it is not installed: what it documents, by Node's own crypto.
JSONWEBTOKEN = """
const { createHmac } = require("crypto");
const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
exports.sign = (claims, secret, { issuer, audience, expiresIn }) => {
  const iat = Math.floor(Date.now() / 1000);
  const payload = { ...claims, iat, exp: iat + expiresIn, aud: audience, iss: issuer };
  const text = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(payload)}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
};
"""


def example(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(autouse=True)
def _issuer(settings: Settings) -> None:
    settings.ISSUER, settings.ISSUER_KEY = ISSUER, ISSUER_KEY


def assert_works(client: APIClient, assertion: str) -> None:
    answer = client.post("/auth/exchange", {"assertion": assertion})

    assert answer.status_code == 200, answer.content
    assert answer.json()["user"]["username"] == "dora"
    assert ExternalIdentity.objects.get().subject == "4711"


def test_that_for_django(client: APIClient) -> None:
    names: dict[str, Any] = {"SECRET": SECRET}
    exec(example("python"), names)  # noqa: S102  our own page

    assert_works(client, names["assertion_for"](SimpleNamespace(pk=4711, username="dora")))


def test_that_for_express(client: APIClient, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node")
    package = tmp_path / "node_modules/jsonwebtoken"
    package.mkdir(parents=True)
    (package / "index.js").write_text(JSONWEBTOKEN)
    call = 'console.log(assertionFor({ id: 4711, username: "dora" }));'
    (tmp_path / "app.js").write_text(f'const SECRET = "{SECRET}";\n{example("javascript")}\n{call}\n')
    done = subprocess.run(
        [node, "app.js"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert_works(client, done.stdout.strip())


def test_that_for_rails_has_the_claims_of_the_others() -> None:
    for claim in ("iss", "aud", "sub", "iat", "exp", "jti", "username"):
        assert re.search(rf"\b{claim}:", example("ruby")), claim
