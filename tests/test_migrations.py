"""Migrations that a server can run through while others are served; `make lint` asks the same."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from messaging import selectors
from messaging.services import extensions as sending
from reports import extensions as reports

#: What apps add to when they are ready.
LISTS: list[tuple[Any, str]] = [
    (sending, "checks"),
    (sending, "followers"),
    (reports, "status_followers"),
    (selectors, "OUT_OF_REACH"),
]
ROOT = Path(__file__).resolve().parents[1]
# The SQL of some migrations cannot even be shown within a transaction.
pytestmark = pytest.mark.django_db(transaction=True)

CREATE = """
from django.db import migrations, models

class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Letter", [("id", models.BigAutoField(primary_key=True)), ("text", models.TextField())]
        )
    ]
"""
NEXT = """
from django.db import migrations, models
from aimessage.db.operations import AddIndexConcurrently

class Migration(migrations.Migration):
    atomic = {atomic}
    dependencies = [("letters", "0001_letters")]
    operations = [{operation}]
"""


def test_no_migration_is_missing() -> None:
    call_command("makemigrations", check=True, dry_run=True)


@pytest.fixture
def lint(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs the command over the apps that pyproject.toml names, or over those given."""
    monkeypatch.chdir(ROOT)  # where it looks for that file
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "aimessage.linting")
    # Another list of apps makes all of them ready once more.
    for owner, name in LISTS:
        monkeypatch.setattr(owner, name, [*getattr(owner, name)])

    def run(*apps: str, root: Path = ROOT) -> None:
        settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django_migration_linter", *apps]
        options = {"include_apps": list(apps)} if apps else {}
        call_command("lintmigrations", project_root_path=str(root), **options)

    return run


def test_every_migration_is_safe_on_a_live_table(lint: Callable[..., None]) -> None:
    lint()


@pytest.mark.parametrize(
    ("operation", "atomic", "only_on"),
    [
        ('migrations.AddField("letter", "sender", models.IntegerField(default=0), False)', True, None),
        ('migrations.RemoveField("letter", "text")', True, None),
        ('migrations.RenameField("letter", "text", "content")', True, None),
        ('migrations.DeleteModel("Letter")', True, None),
        (
            'migrations.AddIndex("letter", models.Index(fields=["text"], name="letter_text"))',
            True,
            "postgresql",
        ),
    ],
)
def test_an_unsafe_migration_is_found(
    lint: Callable[..., None],
    letters: Callable[[str, bool], Path],
    capsys: pytest.CaptureFixture[str],
    operation: str,
    atomic: bool,
    only_on: str | None,
) -> None:
    root = letters(operation, atomic)

    if only_on in {None, connection.vendor}:
        with pytest.raises(SystemExit):
            lint("letters", root=root)
        assert "(letters, 0002_next)... ERR" in capsys.readouterr().out
    else:
        lint("letters", root=root)


@pytest.mark.parametrize(
    ("operation", "atomic"),
    [
        ('migrations.AddField("letter", "sender", models.IntegerField(null=True))', True),
        ('AddIndexConcurrently("letter", models.Index(fields=["id", "text"], name="letter_both"))', False),
    ],
)
def test_a_safe_one_passes(
    lint: Callable[..., None],
    letters: Callable[[str, bool], Path],
    capsys: pytest.CaptureFixture[str],
    operation: str,
    atomic: bool,
) -> None:
    lint("letters", root=letters(operation, atomic))

    assert "(letters, 0002_next)... OK" in capsys.readouterr().out


@pytest.fixture
def letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, bool], Path]:
    """The folder of an app with those operations in its second migration."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "letters"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "letters" / "migrations"
    folder.mkdir(parents=True)
    for package in (folder.parent, folder):
        (package / "__init__.py").touch()

    def write(operation: str, atomic: bool) -> Path:
        (folder / "0001_letters.py").write_text(CREATE)
        (folder / "0002_next.py").write_text(NEXT.format(operation=operation, atomic=atomic))
        return tmp_path

    return write


@pytest.mark.parametrize(("owner", "name"), LISTS)
def test_each_is_in_a_list_once(owner: Any, name: str) -> None:
    entries = getattr(owner, name)

    assert len(entries) == len(set(entries)) > 0
