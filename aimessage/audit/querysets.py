from typing import Any, NoReturn

from django.db import models


class AppendOnly(TypeError):
    """Somebody's code tried to change or delete a row of the audit trail."""


def refuse(*args: object, **kwargs: object) -> NoReturn:
    raise AppendOnly("The audit trail is only appended to, by aimessage.audit.services.append_entries().")


class EntryQuerySet(models.QuerySet[Any]):
    def update(self, **kwargs: object) -> NoReturn:
        refuse()

    def bulk_update(self, *args: object, **kwargs: object) -> NoReturn:
        refuse()

    def delete(self) -> NoReturn:
        refuse()

    def _raw_delete(self, using: str | None) -> NoReturn:
        refuse()

    def about(self, kind: str, pk: object) -> "EntryQuerySet":
        """What was done to one object, which may be gone."""
        return self.filter(target_kind=kind, target_id=str(pk))

    def done_by(self, user: Any) -> "EntryQuerySet":
        return self.filter(actor_id=user.pk)


class EntryManager(models.Manager.from_queryset(EntryQuerySet)):  # type: ignore[misc]
    pass
