"""Finds usernames, addresses and phone numbers that several accounts have."""

import sqlite3
from collections.abc import Iterator

from accounts.names import USERNAME_MAX_LENGTH
from aimessage.db.text import fold

EMAIL_MAX_LENGTH = 255
#: For accounts without an address: RFC 2606 reserves .invalid, so nobody can own it.
NO_ADDRESS = "missing.invalid"


class Names:
    """Which account has which name. In a temporary SQLite file, since a million names take much memory."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("")
        self._connection.execute("CREATE TABLE names (kind TEXT, key TEXT, id INTEGER, value TEXT)")
        self._connection.execute("CREATE INDEX names_key ON names (kind, key, id)")

    def add(self, kind: str, key: str, pk: int, value: str) -> None:
        self._connection.execute("INSERT INTO names VALUES (?, ?, ?, ?)", [kind, key, pk, value])

    def clashes(self) -> list[tuple[str, int, int, str]]:
        """Yields kind, account id, id of the earlier account with the same name, and the name."""
        query = """
            SELECT names.kind, names.id, first.id, names.value
            FROM (SELECT kind, key, min(id) AS id FROM names GROUP BY kind, key HAVING count(*) > 1) AS first
            JOIN names ON names.kind = first.kind AND names.key = first.key AND names.id > first.id
            ORDER BY names.id, names.kind
        """
        return self._connection.execute(query).fetchall()

    def find_free(self, kind: str, pk: int, value: str) -> str:
        # `bob` becomes `bob-17`, then `bob-17-2`; `bob@example.org` becomes `bob+17@example.org`.
        for suffix in _suffixes(pk):
            candidate = _with_suffix(kind, value, suffix)
            key = fold(candidate)
            query = "SELECT 1 FROM names WHERE kind = ? AND key = ?"
            if not self._connection.execute(query, [kind, key]).fetchone():
                self.add(kind, key, pk, candidate)
                return candidate
        raise AssertionError("there are more numbers than names")

    def close(self) -> None:
        self._connection.close()


def _suffixes(pk: int) -> Iterator[str]:
    yield str(pk)
    yield from (f"{pk}-{number}" for number in range(2, 2**31))


def _with_suffix(kind: str, value: str, suffix: str) -> str:
    if kind == "username":
        room = USERNAME_MAX_LENGTH - len(suffix) - 1
        return f"{(value or 'user')[:room]}-{suffix}"
    local, _, domain = value.rpartition("@")
    candidate = f"{local}+{suffix}@{domain}"
    if not local or len(candidate) > EMAIL_MAX_LENGTH:
        candidate = f"user-{suffix}@{NO_ADDRESS}"
    return candidate
