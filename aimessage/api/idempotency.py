"""Idempotency-Key: a repeated POST answers with what the first one made.

After draft-ietf-httpapi-idempotency-key-header. The key and a digest of the payload are stored on the
row that the request made, unique for its owner. When requests race, one makes the row and the others
find it.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from django.db import IntegrityError, models, transaction
from django.utils import timezone
from rest_framework.request import Request

from aimessage.api.problems import Invalid, Reason, Unprocessable
from aimessage.db.batches import update_in_batches

#: A key works at least this long; then a sweep clears it.
KEEP_KEYS = timedelta(days=7)

KEY_REUSED = Reason("This Idempotency-Key was used with another payload", "idempotency_key_reused")

_KEY = re.compile(r"[\x21-\x7e]{1,255}")

T = TypeVar("T", bound="IdempotentModel")


class IdempotentModel(models.Model):
    """A row that remembers the request that made it."""

    idempotency_key = models.CharField(max_length=255, null=True, editable=False)
    idempotency_hash = models.CharField(max_length=64, null=True, editable=False)

    class Meta:
        abstract = True


@dataclass(frozen=True)
class IdempotencyKey:
    key: str
    hash: str


def read_idempotency_key(request: Request, payload: dict[str, object]) -> IdempotencyKey | None:
    """The request's key with a digest of `payload`, None without the header; raises Invalid if malformed."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise Invalid("Idempotency-Key must be 1 to 255 visible ASCII characters")
    # An optional field that is null counts as absent.
    given = {name: value for name, value in payload.items() if value is not None}
    text = json.dumps(given, sort_keys=True)
    return IdempotencyKey(key, hashlib.sha256(text.encode()).hexdigest())


def create_once(
    own_rows: Callable[[], models.QuerySet[T]],
    key: IdempotencyKey | None,
    make: Callable[[dict[str, str]], T],
) -> tuple[T, bool]:
    """Calls `make` in a transaction, unless `key` has made one of `own_rows()` before.

    `make` gets the columns that store the key. Returns the row, and whether it is new. Raises Unprocessable
    if the key came with another payload before.
    """
    if key is None:
        with transaction.atomic():
            return make({}), True
    first = _made_before(own_rows(), key)
    if first is None:
        try:
            with transaction.atomic():
                return make({"idempotency_key": key.key, "idempotency_hash": key.hash}), True
        except IntegrityError:
            first = _made_before(own_rows(), key)
            if first is None:
                raise
    return first, False


def _made_before(rows: models.QuerySet[T], key: IdempotencyKey) -> T | None:
    first = rows.filter(idempotency_key=key.key).first()
    if first is not None and first.idempotency_hash != key.hash:
        raise Unprocessable(KEY_REUSED)
    return first


def forget_keys(rows: models.QuerySet[T], *, dry_run: bool = False) -> int:
    """Clears the keys of rows older than KEEP_KEYS; returns how many."""
    old = rows.filter(idempotency_key__isnull=False, created_at__lt=timezone.now() - KEEP_KEYS)
    return update_in_batches(old, dry_run=dry_run, idempotency_key=None, idempotency_hash=None)
