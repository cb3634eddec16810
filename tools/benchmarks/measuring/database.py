"""The database of a benchmark: its folder, its server and its rows."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg

from tools.benchmarks.data import Shape
from tools.benchmarks.loading import load_postgresql
from tools.benchmarks.measuring.options import SIZES, Options, say
from tools.benchmarks.servers import Application, Cluster


@contextmanager
def workspace(options: Options) -> Iterator[Path]:
    if options.folder is not None:
        options.folder.mkdir(parents=True, exist_ok=True)
        yield options.folder.resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix="aimessage-bench-"))
    # PostgreSQL may run as another user.
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_cluster(folder: Path, port: int) -> Iterator[tuple[Cluster, int]]:
    """Yields a PostgreSQL of its own, and the process id of its postmaster."""
    cluster = Cluster(folder / "cluster", port)
    if not cluster.exists():
        cluster.create()
    postmaster = cluster.start()
    try:
        yield cluster, postmaster
    finally:
        cluster.stop()


def load_database(app: Application, cluster: Cluster, size: str, folder: Path) -> Shape:
    """Creates and loads the database of `app`, unless an earlier run left it."""
    shape = Shape(messages=SIZES[size])
    url = app.database_url
    name = url.rpartition("/")[2]
    mark = folder / f"loaded-{name}.json"
    if mark.exists():
        app.prepare()
        kept = json.loads(mark.read_text())
        say(f"  {name}: as an earlier run left it")
        return replace(shape, messages=kept["messages"])
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        connection.execute(f'CREATE DATABASE "{name}"')
    app.prepare()
    start = time.monotonic()
    load_postgresql(url, shape)
    say(f"  loaded in {time.monotonic() - start:.0f} s")
    mark.write_text(json.dumps({"messages": shape.messages}))
    return shape
