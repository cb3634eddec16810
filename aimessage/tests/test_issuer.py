"""AI_MESSAGE_ISSUER_KEY: what it may be, and that a weak one stops the start."""

import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from django.core.exceptions import ImproperlyConfigured

from aimessage.issuer import read_issuer_key

pytestmark = pytest.mark.once

NAME = "AI_MESSAGE_ISSUER_KEY"
SECRET = "jZ0pV4nq8rT2wY6uB1mK5xD9fH3sL7cG"
ROOT = Path(__file__).parents[2]


def pem(private: Any) -> bytes:
    encoded: bytes = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def read(monkeypatch: pytest.MonkeyPatch, value: str, base: Path = ROOT) -> Any:
    monkeypatch.setenv(NAME, value)
    return read_issuer_key(NAME, base, ours=["x" + SECRET])


def test_a_secret_is_for_hs256(monkeypatch: pytest.MonkeyPatch) -> None:
    key = read(monkeypatch, f" {SECRET} ")

    assert (key.algorithm, key.key) == ("HS256", SECRET)
    assert SECRET not in repr(key)
    assert read(monkeypatch, "") is None


@pytest.mark.parametrize(
    ("private", "algorithm"),
    [
        (rsa.generate_private_key(65537, 2048), "RS256"),
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
    ],
)
@pytest.mark.parametrize("name", ["issuer.pem", "issuer"])
def test_a_file_is_for_the_algorithm_of_its_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, private: Any, algorithm: str, name: str
) -> None:
    (tmp_path / name).write_bytes(pem(private))

    for value in (str(tmp_path / name), name, f"./{name}"):
        assert read(monkeypatch, value, tmp_path).algorithm == algorithm


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        SECRET.encode(),
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        pem(rsa.generate_private_key(65537, 1024)),  # noqa: S505
        pem(ec.generate_private_key(ec.SECP384R1())),
        pem(ec.generate_private_key(ec.SECP256K1())),
        pem(ed448.Ed448PrivateKey.generate()),
        pem(dsa.generate_private_key(2048)),
        ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    ],
    ids=range(10),
)
def test_any_other_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "issuer.pem").write_bytes(content)

    with pytest.raises(ImproperlyConfigured, match=NAME):
        read(monkeypatch, "issuer.pem", tmp_path)


@pytest.mark.parametrize(
    "value",
    [
        "short",
        SECRET[:31],
        "a" * 50,
        "x" + SECRET,  # one that this server signs with
        "/etc/a-file-that-is-not-there-at-all-really",
        "./keys/a-file-that-is-not-there-at-all-really",
        "keys-of-the-operators-own-backend-of-2026.pem",
        "keys-of-the-operators-own-backend-of-2026.KEY",
        "/",
        pem(ed25519.Ed25519PrivateKey.generate()).decode(),
    ],
)
def test_no_guessable_text_passes_for_a_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=NAME):
        read(monkeypatch, value, tmp_path)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"AI_MESSAGE_ISSUER": "https://app.example.org"}, "AI_MESSAGE_ISSUER_KEY"),
        ({NAME: SECRET}, "AI_MESSAGE_ISSUER "),
        ({"AI_MESSAGE_ISSUER": "x" * 256, NAME: SECRET}, "AI_MESSAGE_ISSUER "),
        ({"AI_MESSAGE_ISSUER": "x", NAME: "{SECRET_KEY}"}, NAME),
        ({"AI_MESSAGE_ISSUER": "x", NAME: "short"}, NAME),
        ({"AI_MESSAGE_ISSUER_CREATE": "maybe"}, "AI_MESSAGE_ISSUER_CREATE"),
        ({"AI_MESSAGE_ISSUER_LINK": "2"}, "AI_MESSAGE_ISSUER_LINK"),
        ({"AI_MESSAGE_DELETION_DAYS": "-1"}, "AI_MESSAGE_DELETION_DAYS"),
        ({"AI_MESSAGE_DELETION_DAYS": "1.5"}, "AI_MESSAGE_DELETION_DAYS"),
        ({"AI_MESSAGE_THROTTLE_EXPORT": "3/week"}, "AI_MESSAGE_THROTTLE_EXPORT"),
        ({"AI_MESSAGE_ISSUER": "https://app.example.org", NAME: SECRET}, ""),
    ],
)
def test_they_are_checked_at_the_start(variables: dict[str, str], named: str) -> None:
    key = secrets.token_urlsafe(50)
    variables = {name: value.replace("{SECRET_KEY}", key) for name, value in variables.items()}
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AI_MESSAGE_")}
    usual = {"SECRET_KEY": key, "AI_MESSAGE_ENV_FILE": os.devnull, "AI_MESSAGE_LOGS_FOLDER": "-"}
    done = subprocess.run(
        [sys.executable, "-c", "import aimessage.settings"],
        cwd=ROOT,
        env={**ours, **usual, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode != 0) == bool(named), done.stderr
    if named:
        assert "ImproperlyConfigured" in done.stderr.splitlines()[-1]
        assert named in done.stderr.splitlines()[-1]
        assert SECRET not in done.stderr
