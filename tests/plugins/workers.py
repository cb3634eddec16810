"""Jobs and their workers, in a database of their own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimessage.jobs.tests.processes import Shop, opened
from operations.maintenance.tests.databases import Databases, migrate


@pytest.fixture(scope="session")
def migrated(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any
) -> Iterator[tuple[Databases, str]]:
    """A database as the migrations leave it, to make copies of."""
    with django_db_blocker.unblock():
        databases = Databases(tmp_path_factory.mktemp("jobs"))
        name = databases.make()
        migrate(name, databases)
        yield databases, name
        databases.drop_all()


@pytest.fixture
def shop(migrated: tuple[Databases, str], django_db_blocker: Any, tmp_path: Path) -> Iterator[Shop]:
    """Within it everything, in this process too, works on the database of the workers."""
    with django_db_blocker.unblock():
        databases = Databases(tmp_path)
        with opened(tmp_path, databases, databases.make(template=migrated[1])) as shop:
            yield shop
        databases.drop_all()
