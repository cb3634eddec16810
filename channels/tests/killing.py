"""Workers as processes of their own that send by a stub, and are killed while they do."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from django.contrib.contenttypes.models import ContentType
from django.test import override_settings

from accounts.models import User
from aimessage.jobs.tests.processes import Shop, wait_until
from channels.models import Address, Delivery, Sender, Thread
from channels.settings import Twilio
from channels.tests.carrying import OURS, link
from channels.tests.credentials import ACCOUNT, TOKEN
from channels.tests.twilio_stub import Step, TwilioStub, twilio_stub
from messaging.models import Conversation
from messaging.services.messages import send_message
from tests.factories import UserFactory

#: What all waits are multiplied by: a request is under way for a second at most, and looked for after three.
PACE = 0.034
#: Seconds that the stub takes to answer, so that kills fall before, into and behind requests.
ANSWER = 0.05
#: Seconds after a request until the kill, by turns.
MOMENTS = [0.0, 0.01, 0.03, 0.049, 0.052, 0.06, 0.075, 0.1]


def environment_of(stub: TwilioStub) -> dict[str, str]:
    return {
        "DEBUG": "1",
        "AI_MESSAGE_TWILIO_ACCOUNT": ACCOUNT,
        "AI_MESSAGE_TWILIO_AUTH_TOKENS": TOKEN,
        "AI_MESSAGE_TWILIO_FROM": OURS,
        "AI_MESSAGE_TWILIO_URL": stub.url,
        "AI_MESSAGE_TWILIO_INBOX": "desk",
        "AI_MESSAGE_TWILIO_PACE": str(PACE),
        "AI_MESSAGE_PUBLIC_URL": "https://chat.example.test",
    }


class Desk:
    """An account that writes to people who last wrote to it, by SMS, to two numbers of ours."""

    def __init__(self, contacts: int) -> None:
        ContentType.objects.clear_cache()
        self.user: User = UserFactory(username="desk")
        self.contacts: list[User] = []
        #: By address, what is to arrive there, in this order.
        self.expected: dict[str, list[str]] = {}
        self.texts = count()
        senders = [
            Sender.objects.create(address=address, account_sid=ACCOUNT) for address in (OURS, "+15005550007")
        ]
        for number in range(contacts):
            user = UserFactory(kind=User.Kind.CONTACT)
            value = f"+1415555{number:04}"
            sender = senders[number % len(senders)]
            Thread.objects.create(address=link(user, value), sender=sender, inbox=self.user, reply_to=value)
            self.contacts.append(user)
            self.expected[value] = []

    def write_to_all(self) -> None:
        for contact, texts in zip(self.contacts, self.expected.values(), strict=True):
            texts.append(f"Text {next(self.texts)}")
            send_message(self.user, content=texts[-1], recipient_id=contact.pk)

    def clear(self) -> None:
        Conversation.objects.all().delete()
        Address.objects.all().delete()
        Sender.objects.all().delete()
        User.objects.filter(pk__in=[self.user.pk, *(contact.pk for contact in self.contacts)]).delete()


@contextmanager
def desk_of(contacts: int) -> Iterator[tuple[Desk, TwilioStub]]:
    with twilio_stub() as stub:
        twilio = Twilio(account=ACCOUNT, numbers=(OURS,), inbox="desk", url=stub.url)
        with override_settings(TWILIO=twilio):
            desk = Desk(contacts)
            try:
                yield desk, stub
            finally:
                desk.clear()


def kill_while_sending(shop: Shop, *, contacts: int, kills: int, said: Callable[[str], None]) -> Counter[str]:
    """Kills the worker again and again in the middle of its requests; returns what it came to."""
    with desk_of(contacts) as (desk, stub):
        stub.otherwise = Step(delay=ANSWER)
        came = Counter(kills=kills)
        for number in range(kills):
            desk.write_to_all()
            before = len(stub.asked)
            worker = shop.start("--queues", "channels", **environment_of(stub))
            wait_until(lambda before=before: len(stub.asked) > before, "a request")
            time.sleep(MOMENTS[number % len(MOMENTS)])
            worker.send_signal(signal.SIGKILL)
            worker.wait()
            came["left in the middle"] += Delivery.objects.filter(state="sending").exists()
            said(f"{number + 1} kills, {len(stub.messages)} messages")
        shop.start("--queues", "channels", **environment_of(stub))
        wait_until(lambda: not Delivery.objects.filter(due_at__isnull=False).exists(), "all to be sent", 120)
        came["messages"] = len(stub.messages)
        came["looked for"] = len(stub.lists)
        assert {to: stub.bodies(to) for to in desk.expected} == desk.expected
        assert set(Delivery.objects.values_list("state", flat=True)) == {"accepted"}
        sids = list(Delivery.objects.order_by("sid").values_list("sid", flat=True))
        assert sids == sorted(message.sid for message in stub.messages)
        assert max(stub.most_at_once.values()) == 1
    return came
