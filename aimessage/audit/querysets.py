"""The queryset of the audit trail, which refuses every change."""

from typing import TYPE_CHECKING, NoReturn

from django.db import models

if TYPE_CHECKING:
    from aimessage.audit.models import Entry  # noqa: F401  in QuerySet[…]


class AppendOnly(TypeError):
    """Code tried to change or delete a row of the audit trail."""


def refuse(*args: object, **kwargs: object) -> NoReturn:
    raise AppendOnly("The audit trail is only appended to, by aimessage.audit.services.append_entries().")


class EntryQuerySet(models.QuerySet["Entry"]):
    def update(self, **kwargs: object) -> NoReturn:
        refuse()

    def bulk_update(self, *args: object, **kwargs: object) -> NoReturn:
        refuse()

    def delete(self) -> NoReturn:
        refuse()

    def _raw_delete(self, using: str | None) -> NoReturn:
        refuse()

    def about(self, kind: str, pk: object) -> "EntryQuerySet":
        return self.filter(target_kind=kind, target_id=str(pk))

    def done_by(self, user_id: int | None) -> "EntryQuerySet":
        return self.filter(actor_id=user_id)


class EntryManager(models.Manager.from_queryset(EntryQuerySet)):  # type: ignore[misc]
    pass
