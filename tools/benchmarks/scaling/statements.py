"""What several of the measurements ask the database."""

from typing import Any

import psycopg

Connection = psycopg.Connection[Any]

PAGE = (
    "SELECT * FROM ((SELECT {columns} FROM {table} WHERE sender_id = %(user)s ORDER BY id DESC LIMIT 100)"
    " UNION ALL (SELECT {columns} FROM {table} WHERE recipient_id = %(user)s AND NOT deleted_by_recipient"
    " ORDER BY id DESC LIMIT 100)) page ORDER BY id DESC LIMIT 100"
)
COLUMNS = "id, sender_id, recipient_id, content, is_read, parent_id, conversation_id, created_at, updated_at"
