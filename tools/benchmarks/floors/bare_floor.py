# ruff: noqa: S608  the statements are made of constants
"""The bare floor: WSGI without a framework. It answers /hello, /bcrypt, and the SQL of endpoints below /sql/.

A path below /sql/ runs the statements of an endpoint by plain psycopg, on a connection per thread, and
answers how many rows it got. It checks no token and makes no objects, so the real endpoint cannot be faster.
Endpoints that write do so in one transaction. `X-User` names the user, and `X-Session` the session, which is
looked up first, as for every authenticated request.
"""

import json
import os
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIEnvironment

import bcrypt
import psycopg
from psycopg.rows import TupleRow

SECRET = b"correct-horse-battery-staple"
HASHED = bcrypt.hashpw(SECRET, bcrypt.gensalt(12))
MESSAGE = "id, sender_id, recipient_id, content, is_read, parent_id, conversation_id, created_at, updated_at"
USER = (
    "u.id, u.username, u.email, u.full_name, u.bio, u.phone_number, u.is_active, u.is_superuser,"
    " u.created_at, u.updated_at"
)
SESSION = (
    f"SELECT s.id, s.last_used_at, {USER} FROM accounts_session s JOIN accounts_user u ON u.id = s.user_id"
    " WHERE s.session_token = %s AND s.is_active AND s.expires_at > %s AND u.is_active"
)
LIST = (
    f"(SELECT {MESSAGE} FROM messaging_message WHERE sender_id = %(user)s AND id < %(before)s"
    " ORDER BY id DESC LIMIT 101) UNION ALL"
    f" (SELECT {MESSAGE} FROM messaging_message WHERE recipient_id = %(user)s AND NOT deleted_by_recipient"
    " AND id < %(before)s ORDER BY id DESC LIMIT 101) ORDER BY id DESC LIMIT 101"
)
CONVERSATIONS = (
    "SELECT p.conversation_id, p.last_message_id, m.sender_id, m.recipient_id, s.username, r.username,"
    " left(m.content, 100), m.created_at, (SELECT count(*) FROM messaging_message n WHERE n.recipient_id ="
    " %(user)s AND n.conversation_id = p.conversation_id AND NOT n.is_read AND NOT n.deleted_by_recipient)"
    " FROM messaging_participant p JOIN messaging_message m ON m.id = p.last_message_id"
    " LEFT JOIN accounts_user s ON s.id = m.sender_id LEFT JOIN accounts_user r ON r.id = m.recipient_id"
    " WHERE p.user_id = %(user)s AND p.last_message_id IS NOT NULL"
    " ORDER BY p.last_message_id DESC LIMIT %(limit)s"
)
IN_CONVERSATION = (
    f"SELECT {MESSAGE} FROM messaging_message WHERE conversation_id = %(conversation)s AND CASE WHEN"
    " sender_id = %(user)s OR recipient_id = %(user)s AND NOT deleted_by_recipient THEN true ELSE false END"
    " ORDER BY id DESC LIMIT 101"
)
TAKES_PART = (
    "SELECT 1 FROM messaging_participant WHERE conversation_id = %(conversation)s AND user_id = %(user)s"
)
REPORTS = (
    "SELECT r.id, r.reporter_id, u.username, r.title, r.content, r.message_id, r.status, r.comment,"
    " r.resolved_at, r.resolved_by_id, v.username, r.created_at, r.updated_at FROM reports_report r"
    " JOIN accounts_user u ON u.id = r.reporter_id LEFT JOIN accounts_user v ON v.id = r.resolved_by_id"
    " WHERE r.reporter_id = %(user)s ORDER BY r.id DESC LIMIT 101"
)
UNREAD = (
    "SELECT count(*) FROM messaging_message WHERE recipient_id = %(user)s AND NOT is_read"
    " AND NOT deleted_by_recipient"
)
ONE = (
    f"SELECT {MESSAGE} FROM messaging_message WHERE id = %(id)s AND (sender_id = %(user)s"
    " OR recipient_id = %(user)s AND NOT deleted_by_recipient)"
)
READS: dict[str, list[str]] = {
    "me": [],
    "message": [ONE],
    "unread": [UNREAD],
    "messages": [LIST],
    "conversations": [CONVERSATIONS],
    "conversation": [TAKES_PART, IN_CONVERSATION],
    "reports": [REPORTS],
}

RECIPIENT = "SELECT id, is_active FROM accounts_user WHERE id = %s AND is_active"
LOCK = "SELECT id, created_at FROM messaging_conversation WHERE id = %s FOR UPDATE"
MEMBERS = (
    "SELECT p.id, p.user_id, u.is_active FROM messaging_participant p"
    " JOIN accounts_user u ON u.id = p.user_id WHERE p.conversation_id = %s"
)
BLOCKED = (
    "SELECT 1 FROM messaging_block WHERE blocker_id = %s AND blocked_id = %s"
    " OR blocker_id = %s AND blocked_id = %s LIMIT 1"
)
INSERT = (
    "INSERT INTO messaging_message (sender_id, recipient_id, conversation_id, content, is_read,"
    " deleted_by_recipient, created_at, updated_at)"
    " VALUES (%s, %s, %s, %s, false, false, %s, %s) RETURNING id"
)
LATEST = "UPDATE messaging_participant SET last_message_id = %s WHERE conversation_id = %s"
MARK = "UPDATE messaging_message SET is_read = true WHERE id = %s AND NOT is_read"

_kept = threading.local()


def connection() -> psycopg.Connection[TupleRow]:
    if not hasattr(_kept, "connection"):
        url = os.environ["DATABASE_URL"]
        # Nothing prepared, as in the application: a generic plan would sort all rows of the hot user.
        _kept.connection = psycopg.connect(url, autocommit=True, prepare_threshold=None)
    found: psycopg.Connection[TupleRow] = _kept.connection
    return found


def read(name: str, values: dict[str, object]) -> int:
    database = connection()
    rows = 0
    for statement in READS[name]:
        rows += len(database.execute(statement, values).fetchall())
    return rows


def send(sender: int, recipient: int, content: str) -> int:
    database, now = connection(), datetime.now(UTC)
    conversation = f"conv_{min(sender, recipient)}_{max(sender, recipient)}"
    with database.transaction():
        database.execute(RECIPIENT, [recipient]).fetchone()
        database.execute(LOCK, [conversation]).fetchone()
        database.execute(MEMBERS, [conversation]).fetchall()
        database.execute(BLOCKED, [sender, recipient, recipient, sender]).fetchone()
        values = [sender, recipient, conversation, content, now, now]
        row = database.execute(INSERT, values).fetchone()
        database.execute(LATEST, [row[0] if row else None, conversation])
    return 1


def mark_read(user: int, message: int) -> int:
    database = connection()
    with database.transaction():
        found = database.execute(ONE, {"id": message, "user": user}).fetchall()
        database.execute(MARK, [message])
    return len(found)


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/hello":
        body = b'{"message":"Hello World"}'
    elif path == "/bcrypt":
        body = b"true" if bcrypt.checkpw(SECRET, HASHED) else b"false"
    else:
        name = path.removeprefix("/sql/")
        user = int(environ["HTTP_X_USER"])
        connection().execute(SESSION, [environ["HTTP_X_SESSION"], datetime.now(UTC)]).fetchone()
        query = {key: values[0] for key, values in parse_qs(environ["QUERY_STRING"]).items()}
        if name == "send":
            size = int(environ["CONTENT_LENGTH"])
            sent = json.loads(environ["wsgi.input"].read(size))
            rows = send(user, sent["recipient_id"], sent["content"])
        elif name == "read":
            rows = mark_read(user, int(query["id"]))
        else:
            values = {"user": user, "before": 2**62, "limit": 101, **query}
            rows = read(name, values)
        body = b'{"rows":%d}' % rows
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
