"""Every form of DATABASE_URL: the database that it names, or a refusal that quotes no part of it."""

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from aimessage.database_url import parse_database_url
from aimessage.environment import read_database
from aimessage.tests.started import SHOW, run

pytestmark = pytest.mark.once

POSTGRESQL = {"USER": "", "PASSWORD": "", "HOST": "", "PORT": "", "OPTIONS": {}}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://ann:pw@db.example:5433/chat",
            {"USER": "ann", "PASSWORD": "pw", "HOST": "db.example", "PORT": 5433, "NAME": "chat"},
        ),
        ("postgres://db.example/chat", {"HOST": "db.example", "NAME": "chat"}),
        ("POSTGRESQL://db.example/chat", {"HOST": "db.example", "NAME": "chat"}),
        ("postgresql+psycopg2://db.example/chat", {"HOST": "db.example", "NAME": "chat"}),
        ("postgresql+asyncpg://db.example:/chat", {"HOST": "db.example", "NAME": "chat"}),
        ("postgresql:///chat", {"NAME": "chat"}),
        ("postgresql:///chat?host=/run/postgresql", {"NAME": "chat", "HOST": "/run/postgresql"}),
        ("postgresql://[2001:db8::1]:5433/chat", {"HOST": "2001:db8::1", "PORT": 5433, "NAME": "chat"}),
        ("postgresql://a:1,b:2/chat", {"HOST": "a,b", "PORT": "1,2", "NAME": "chat"}),
        (
            "postgresql://h/chat?sslmode=verify-full&connect_timeout=9",
            {"HOST": "h", "NAME": "chat", "OPTIONS": {"sslmode": "verify-full", "connect_timeout": "9"}},
        ),
        (
            "postgresql://%C3%A4nn:p%40%2F%3A%23%3F%25%20@h/my%20chat",
            {"USER": "änn", "PASSWORD": "p@/:#?% ", "HOST": "h", "NAME": "my chat"},
        ),
        ("postgresql://ann:p#s?s@h/chat", {"USER": "ann", "PASSWORD": "p#s?s", "HOST": "h", "NAME": "chat"}),
    ],
)
def test_a_postgresql_is_found(url: str, expected: dict[str, Any]) -> None:
    found = parse_database_url(url, base=Path("/srv"))

    assert found == {"ENGINE": "django.db.backends.postgresql", **POSTGRESQL, **expected}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3cret", "must start with"),
        ("mysql://ann:s3cret@h/chat", "must start with"),
        ("http://ann:s3cret@h/chat", "must start with"),
        ("psql://ann:s3cret@h/chat", "must start with"),
        ("postgresql:ann:s3cret@h/chat", "must start with"),
        ("postgresql:/ann:s3cret@h/chat", "must start with"),
        ('"postgresql://ann:s3cret@h/chat"', "must start with"),
        ("host=h password=s3cret dbname=chat", "must start with"),
        ("postgresql://ann:s3cret@h", "names no database"),
        ("postgresql://ann:s3cret@h/", "names no database"),
        ("postgresql://ann:s3cret@h:many/chat", "port"),
        ("postgresql://ann:s3cret@h:0/chat", "port"),
        ("postgresql://ann:s3cret@h:65536/chat", "port"),
        ("postgresql://ann:s3cret@h:5432:1/chat", "port"),
        ("postgresql://ann:s3cret@h:\u0665/chat", "port"),
        ("postgresql://ann:x/s3cret@h/chat", "%2F"),
        ("postgresql://ann:x@s3cret@h/chat", "%40"),
        ("postgresql://ann:x s3cret@h/chat", "%20"),
        ("postgresql://ann:100%s3cret@h/chat", "%25"),
        ("postgresql://ann:x%ffs3cret@h/chat", "no URL"),
        ("postgresql://ann:x/s?s3cret@h/chat", "no URL"),
        ("postgresql://ann:s3cret@[::1/chat", "no URL"),
        ("postgresql://ann:s3cret@h/chat/", "certainty"),
        ("postgresql://ann:s3cret@h/chat#main", "certainty"),
        ("postgresql://ann:s3cret@h/chat?ssl_mode=require", "option ssl_mode"),
        ("postgresql://ann:s3cret@h/chat?conn_max_age=60", "option conn_max_age"),
        ("postgresql://ann:s3cret@h/chat?sslmode", "no URL"),
        ("postgresql://ann:s3cret@h/chat?sslmode=required", "sslmode"),
        ("postgresql://ann:s3cret@h/chat?connect_timeout=soon", "connect_timeout"),
        ("postgresql://ann:s3cret@h/chat?connect_timeout=0", "connect_timeout"),
        ("postgresql://ann:s3\ncret@h/chat", "control"),
    ],
)
def test_what_is_no_url_is_refused_without_its_password(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as told:
        parse_database_url(url, base=Path("/srv"))
    assert "s3" not in str(told.value)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    base = tmp_path / "C# projects, 100% Größe?"
    (base / "data").mkdir(parents=True)
    return base


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("chat.sqlite3", "chat.sqlite3"),
        ("data/chat.sqlite3", "data/chat.sqlite3"),
        ("./chat.sqlite3", "chat.sqlite3"),
        ("a#b.sqlite3", "a#b.sqlite3"),
        ("a b.sqlite3", "a b.sqlite3"),
        ("a+b.sqlite3", "a+b.sqlite3"),
        ("a%20b%23.sqlite3", "a b#.sqlite3"),
        ("100% sure.sqlite3", "100% sure.sqlite3"),
        ("who%3F.sqlite3", "who?.sqlite3"),
        ("Müller.sqlite3", "Müller.sqlite3"),
        ("M%C3%BCller.sqlite3", "Müller.sqlite3"),
    ],
)
@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+aiosqlite"])
def test_a_path_of_sqlite_is_kept_to_the_character(base: Path, scheme: str, path: str, file: str) -> None:
    [relative] = [parse_database_url(f"{scheme}:///{path}", base=base)]
    assert relative == {"ENGINE": "django.db.backends.sqlite3", "NAME": str(base / file)}

    folder = str(base).replace("?", "%3F")
    absolute = parse_database_url(f"{scheme}:///{folder}/{path}", base=Path("/nowhere"))
    assert absolute["NAME"] == str(base / file) == relative["NAME"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:", "slashes"),
        ("sqlite:x", "slashes"),
        ("sqlite:x/y.sqlite3", "slashes"),
        ("sqlite:/x", "slashes"),
        ("sqlite://", "slashes"),
        ("sqlite://x", "slashes"),
        ("sqlite://x/y.sqlite3", "slashes"),
        ("sqlite:///", "slashes"),
        ("sqlite:////", "folder"),
        ("sqlite:///data/", "folder"),
        ("sqlite:///data", "folder"),
        ("sqlite:///missing/x.sqlite3", "no such folder"),
        ("sqlite:////missing/x.sqlite3", "no such folder"),
        ("sqlite:////dev/null", "no file"),
        ("sqlite:///x?mode=memory", "no options"),
        ("sqlite:///x%00y", "NUL"),
        ("sqlite:///x%ff", "%25"),
        ("sqlite:///" + "x" * 300, "cannot be used"),
    ],
)
def test_what_is_no_file_of_sqlite_is_refused(base: Path, url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_database_url(url, base=base)


def test_a_database_in_memory_is_had_by_name_and_not_for_a_server(tmp_path: Path) -> None:
    for url in ("sqlite://:memory:", "sqlite:///:memory:"):
        assert parse_database_url(url, base=tmp_path)["NAME"] == ":memory:"

    done = run("-m", "gunicorn", "--check-config", folder=tmp_path, DATABASE_URL="sqlite://:memory:")
    assert done.returncode != 0
    assert "DATABASE_URL" in done.stderr


def test_without_a_url_it_is_the_default_whatever_its_folder_is_called(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "AI_MESSAGE_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)

    assert read_database(base / "a.sqlite3", base=base)["NAME"] == str(base / "a.sqlite3")


@pytest.fixture
def password_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "password"
    monkeypatch.setenv("AI_MESSAGE_DATABASE_PASSWORD_FILE", str(file))
    monkeypatch.setenv("DATABASE_URL", "postgresql://ann@h/chat")
    return file


@pytest.mark.parametrize("content", ["p@ss/word #1%", "p@ss/word #1%\n", "p@ss/word #1%\r\n"])
def test_a_file_holds_the_password_to_the_character(password_file: Path, content: str) -> None:
    password_file.write_text(content, newline="")

    assert read_database(Path("/x"), base=Path("/"))["PASSWORD"] == "p@ss/word #1%"


@pytest.mark.parametrize("content", [None, b"", b"\n", b"  \n", b"s3cret\nother", b"\xff", b"x" * 9999])
def test_a_file_without_a_password_stops_the_start(password_file: Path, content: bytes | None) -> None:
    if content is not None:
        password_file.write_bytes(content)

    with pytest.raises(ImproperlyConfigured, match="AI_MESSAGE_DATABASE_PASSWORD_FILE") as told:
        read_database(Path("/x"), base=Path("/"))
    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize("url", ["postgresql://ann:pw@h/chat", "sqlite:///x.sqlite3"])
def test_a_password_is_given_once(password_file: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    password_file.write_text("pw")
    monkeypatch.setenv("DATABASE_URL", url)

    with pytest.raises(ImproperlyConfigured, match="AI_MESSAGE_DATABASE_PASSWORD_FILE is for"):
        read_database(Path("/x"), base=password_file.parent)


@pytest.mark.parametrize(
    "url", ["postgresql://ann:p#s3cret@h:x/chat", "postgresql://ann:s3cret/x@h/chat", "sqlite://s3cret"]
)
def test_no_traceback_of_a_start_shows_a_part_of_it(tmp_path: Path, url: str) -> None:
    done = run("-c", SHOW, folder=tmp_path, DATABASE_URL=url)

    assert done.returncode != 0
    assert "DATABASE_URL" in done.stderr.splitlines()[-1]
    assert "s3cret" not in done.stderr
