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
    """Those that failed, whose addressee is known, and that would not come too late."""
    in_time = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    return mails.filter(in_time, state=Mail.State.FAILED, user__isnull=False)


@transaction.atomic
def send_again(mail: Mail) -> None:
    """Raises NotToBeSent. All tries are before the mail again, which keeps its Message-ID."""
    if not sendable(Mail.objects.filter(pk=mail.pk)).update(state=Mail.State.WAITING, error=""):
        raise NotToBeSent
    deliver.enqueue(mail.pk)
