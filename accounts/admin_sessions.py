"""The admin's session engine (SESSION_ENGINE). It stores a digest of the session cookie.

Django's own engine stores the cookie itself, so anybody who reads a backup could act as a moderator.
"""

from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore
from django.contrib.sessions.base_session import AbstractBaseSession
from django.utils import timezone

from accounts.tokens import digest

#: Hexadecimal digits, the length of Django's column: 160 bits, about as many as the cookie has.
KEY_LENGTH = 40


def stored_key(cookie: str) -> str:
    return digest(cookie)[:KEY_LENGTH]


class SessionStore(DatabaseSessionStore):
    """`session_key` is the cookie; rows are found by its digest."""

    def _get_session_from_db(self) -> AbstractBaseSession | None:
        rows = self.model.objects.filter(expire_date__gt=timezone.now())
        row = rows.filter(session_key=stored_key(self.session_key or "")).first()
        if row is None:
            self._session_key = None
        return row

    def exists(self, session_key: str) -> bool:
        return super().exists(stored_key(session_key))

    def create_model_instance(self, data: dict[str, object]) -> AbstractBaseSession:
        row = super().create_model_instance(data)
        row.session_key = stored_key(row.session_key)
        return row

    def delete(self, session_key: str | None = None) -> None:
        cookie = session_key or self.session_key
        if cookie is not None:
            super().delete(stored_key(cookie))
