"""Nothing is lost and nothing comes twice, in whatever order writers commit."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection, connections

from aimessage.events.reading import current_position, to_cursor
from aimessage.events.tests.race import follow, write

ROOT = Path(__file__).resolve().parents[3]
WRITERS, READERS = 12, 3
PROGRAM = """
import json, django
django.setup()
from aimessage.events.reading import current_position, to_cursor
from aimessage.events.tests.race import follow, write

def started():
    cursor = to_cursor(current_position())
    print("started", flush=True)
    return cursor

print(json.dumps({call}))
"""


def closing(call: Any, *args: Any) -> Any:
    try:
        return call(*args)
    finally:
        connections.close_all()


def in_order_of_their_writer(read: list[str]) -> list[list[str]]:
    by_writer: dict[str, list[str]] = {}
    for name in read:
        by_writer.setdefault(name.replace(" ", "-").split("-")[0], []).append(name)
    return sorted(by_writer.values())


@pytest.fixture
def next_door() -> Iterator[None]:
    """A transaction that wrote, and stays open, in another database of the cluster."""
    options = {key: connection.settings_dict[key] for key in ("HOST", "PORT", "USER", "PASSWORD")}
    with psycopg.connect(
        host=options["HOST"],
        port=options["PORT"] or 5432,
        user=options["USER"],
        password=options["PASSWORD"],
        dbname="postgres",
    ) as other:
        other.execute("SELECT pg_current_xact_id()")
        yield
        other.rollback()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("next_door")
def test_each_event_is_read_once_while_twelve_write() -> None:
    start = to_cursor(current_position())
    with ThreadPoolExecutor(WRITERS + READERS) as pool:
        readers = [pool.submit(closing, follow, start, WRITERS) for _ in range(READERS)]
        writers = [pool.submit(closing, write, seed, 20) for seed in range(WRITERS)]
        committed = [writer.result() for writer in writers]
        for reader in readers:
            assert in_order_of_their_writer(reader.result()) == sorted(committed)


@pytest.mark.skipif("postgresql" in settings.DATABASES["default"]["ENGINE"], reason="SQLite's own file")
def test_each_event_is_read_once_from_a_file_that_processes_share(tmp_path: Path) -> None:
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path}/race.sqlite3"}
    environment |= {"AI_MESSAGE_LOGS_FOLDER": "-", "DJANGO_SETTINGS_MODULE": "aimessage.settings"}
    manage = [sys.executable, str(ROOT / "manage.py"), "migrate", "events", "--verbosity", "0"]
    subprocess.run(manage, cwd=ROOT, env=environment, check=True)

    def start(call: str) -> "subprocess.Popen[str]":
        program = [sys.executable, "-c", PROGRAM.format(call=call)]
        return subprocess.Popen(program, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)

    reader = start("follow(started(), writers=3)")
    assert reader.stdout is not None
    assert reader.stdout.readline() == "started\n"
    writers = [start(f"write({seed}, 40, longest=0.005)") for seed in range(3)]
    committed = [json.loads(writer.communicate(timeout=120)[0]) for writer in writers]
    assert in_order_of_their_writer(json.loads(reader.communicate(timeout=120)[0])) == sorted(committed)
