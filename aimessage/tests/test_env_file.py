"""Every line of a `.env` is read as it is meant, or stops the start with its number and without its value."""

import os
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from aimessage.env_file import load_env_file, parse_env
from aimessage.tests.started import SHOW, run

pytestmark = pytest.mark.once

URL = "postgresql://ann:p%40ss@db.example:5432/chat"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"DATABASE_URL={URL}", URL),
        (f"\ufeffDATABASE_URL={URL}", URL),
        (f" DATABASE_URL={URL}", URL),
        (f"\tDATABASE_URL={URL}\t", URL),
        (f"\u00a0DATABASE_URL={URL}", URL),
        (f"DATABASE_URL = {URL}", URL),
        (f"DATABASE_URL= {URL} ", URL),
        (f"DATABASE_URL ={URL}\r\n", URL),
        (f"# first\r\n\r\nDATABASE_URL={URL}\r\nDEBUG=0\r\n", URL),
        (f"export DATABASE_URL={URL}", URL),
        (f"export  DATABASE_URL='{URL}'", URL),
        (f'DATABASE_URL="{URL}"', URL),
        (f'DATABASE_URL = "{URL}"  # ours', URL),
        (f"DATABASE_URL='{URL}' # ours", URL),
        (f"DATABASE_URL={URL} # ours", URL),
        (f"DATABASE_URL={URL}\t#ours", URL),
        ("DATABASE_URL=a#b", "a#b"),
        ("DATABASE_URL=#b", "#b"),
        ("DATABASE_URL= # nothing", ""),
        ("DATABASE_URL=", ""),
        ("DATABASE_URL=''", ""),
        ("DATABASE_URL='a # b'", "a # b"),
        ('DATABASE_URL="a # b"', "a # b"),
        ("DATABASE_URL=a=b==", "a=b=="),
        ("DATABASE_URL=$a${b}", "$a${b}"),
        ("DATABASE_URL=a\\b", "a\\b"),
        ("DATABASE_URL='a\\b'", "a\\b"),
        (r'DATABASE_URL="a\"b\\c\$d\n"', 'a"b\\c$d\\n'),
        ("DATABASE_URL=it's", "it's"),
        ("DATABASE_URL=two words", "two words"),
        ("DATABASE_URL=größe 日本", "größe 日本"),
    ],
)
def test_a_line_is_read_as_it_is_meant(text: str, value: str) -> None:
    assert parse_env(text, ".env")["DATABASE_URL"] == value


@pytest.mark.parametrize(
    "line",
    [
        "DATABASE_URL",
        "DATABASE_URL: s3cret",
        "DATABASE URL=s3cret",
        "DATABASE-URL=s3cret",
        "1DATABASE_URL=s3cret",
        "=s3cret",
        "set DATABASE_URL=s3cret",
        "exportDATABASE_URL s3cret",
        "\u200bDATABASE_URL=s3cret",
        "; DATABASE_URL=s3cret x",
        "<<<<<<< HEAD",
        "s3cret",
        "DATABASE_URL='s3cret",
        'DATABASE_URL="s3cret',
        "DATABASE_URL='s3cret'x",
        "DATABASE_URL='s3cret'#x",
        "DATABASE_URL='it's3cret'",
        'DATABASE_URL="s3"cret"',
        "DATABASE_URL=s3\0cret",
        "DATABASE_URL=s3\rcret",
        "DATABASE_URL='s3\x1bcret'",
        "SECRET_KEY=s3cret",
        "export SECRET_KEY = 's3cret'",
    ],
)
def test_any_other_line_is_named_and_its_value_is_not(line: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^/srv/\.env, line 3: ") as told:
        parse_env(f"SECRET_KEY=a\n\n{line}\nDEBUG=0\n", "/srv/.env")
    assert "s3" not in str(told.value)


def test_a_name_that_comes_twice_says_where_it_stood_first() -> None:
    with pytest.raises(ImproperlyConfigured, match="line 4: DEBUG stands in line 2 already"):
        parse_env("A=1\nDEBUG=0\n\nDEBUG=0\n", ".env")


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts the variables of these tests back afterwards."""
    for name in ("OPS_A", "OPS_B", "OPS_C"):
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)


def test_the_environment_wins_unless_it_is_empty(
    clean: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "env"
    file.write_text("OPS_A=file\nOPS_B=file\nOPS_C=file\n")
    monkeypatch.setenv("OPS_A", "environment")
    monkeypatch.setenv("OPS_B", "")

    assert load_env_file(file, required=True) == {"OPS_A", "OPS_B", "OPS_C"}
    assert [os.environ[name] for name in ("OPS_A", "OPS_B", "OPS_C")] == ["environment", "file", "file"]


@pytest.mark.parametrize("content", ["SECRET_KEY=s3cret".encode("utf-16"), b"SECRET_KEY=s3cret\xff"])
def test_a_file_in_another_encoding_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "env"
    file.write_bytes(content)

    with pytest.raises(ImproperlyConfigured, match="UTF-8") as told:
        load_env_file(file, required=False)
    assert "s3cret" not in str(told.value)


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    assert load_env_file(tmp_path / "none", required=False) == set()
    with pytest.raises(ImproperlyConfigured, match=r"AI_MESSAGE_ENV_FILE=.*there is no such file"):
        load_env_file(tmp_path / "none", required=True)
    with pytest.raises(ImproperlyConfigured, match="cannot be read: Is a directory"):
        load_env_file(tmp_path, required=False)
    (tmp_path / "large").write_bytes(b"#" * 2_000_000)
    with pytest.raises(ImproperlyConfigured, match="too large"):
        load_env_file(tmp_path / "large", required=False)


@pytest.mark.parametrize("start", ["\ufeff", " ", "export ", "\r\n\t"])
def test_the_database_that_a_file_names_is_used(tmp_path: Path, start: str) -> None:
    file = tmp_path / "env"
    file.write_text(f"{start}DATABASE_URL = {URL}\n", encoding="utf-8", newline="")

    done = run("-c", SHOW, "DATABASES", folder=tmp_path, AI_MESSAGE_ENV_FILE=str(file))

    assert "db.example" in done.stdout, done.stderr


@pytest.mark.parametrize("command", [["manage.py", "check"], ["-m", "gunicorn", "--check-config"]])
def test_a_line_that_is_wrong_stops_every_start_and_shows_no_secret(
    tmp_path: Path, command: list[str]
) -> None:
    file = tmp_path / "env"
    file.write_text("DEBUG=0\nDATABASE_URL='postgresql://ann:s3cret@db.example/chat\n")

    done = run(*command, folder=tmp_path, AI_MESSAGE_ENV_FILE=str(file))

    assert done.returncode != 0
    assert f"{file}, line 2" in done.stderr
    assert "s3cret" not in done.stderr + done.stdout
