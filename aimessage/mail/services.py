from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from aimessage.api.problems import DomainError
from aimessage.mail.jobs import deliver
from aimessage.mail.models import Mail


class NotToBeSent(DomainError):
    def __init__(self) -> None:
        super().__init__("Only a mail that failed, and would not come too late, can be sent again")


def sendable(mails: QuerySet[Mail]) -> QuerySet[Mail]:
    # Without a user the address is gone; see jobs.py.
    in_time = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    return mails.filter(in_time, state=Mail.State.FAILED, user__isnull=False)


@transaction.atomic
def send_again(mail: Mail) -> None:
    """Sends a failed mail again, with all its tries and the same Message-ID. Raises NotToBeSent."""
    if not sendable(Mail.objects.filter(pk=mail.pk)).update(state=Mail.State.WAITING, error=""):
        raise NotToBeSent
    deliver.enqueue(mail.pk)
