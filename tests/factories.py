"""Makes rows for tests, by factory_boy."""

from datetime import timedelta
from typing import Any

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from accounts.guesses import digest_of
from accounts.models import FailedLogin, Invitation, PersonalToken, Session, User
from accounts.tokens import digest
from aimessage.server.clients import client_network
from assistant.account import get_profile
from assistant.models import Reply
from channels.models import Address
from messaging.models import Block, Message
from messaging.services.messages import send_message
from reports.models import Report

PASSWORD = "violet-tractor-42"


class UserFactory(DjangoModelFactory):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"user{n}")
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.org")
    full_name = factory.LazyAttribute(lambda user: f"{user.username.title()} Example")

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **kwargs: Any) -> User:
        kwargs.setdefault("password", PASSWORD)
        if kwargs.get("is_superuser"):
            return model_class.objects.create_superuser(**kwargs)
        return model_class.objects.create_user(**kwargs)


class SessionFactory(DjangoModelFactory):
    class Meta:
        model = Session

    user = factory.SubFactory(UserFactory)
    session_token = factory.Sequence(lambda n: f"{n:064x}")
    expires_at = factory.LazyFunction(lambda: timezone.now() + timedelta(days=7))


class PersonalTokenFactory(DjangoModelFactory):
    class Meta:
        model = PersonalToken

    user = factory.SubFactory(UserFactory)
    name = "Backup"
    token = factory.Sequence(lambda n: f"{n:064x}")
    prefix = "aim_000000"
    scopes = factory.LazyFunction(lambda: ["profile:read"])


class InvitationFactory(DjangoModelFactory):
    """An invitation with the code `code`."""

    class Meta:
        model = Invitation
        exclude = ["code"]

    code = factory.Sequence(lambda n: f"code-{n}")
    code_hash = factory.LazyAttribute(lambda invitation: digest(invitation.code))
    expires_at = factory.LazyFunction(lambda: timezone.now() + timedelta(days=14))


class FailedLoginFactory(DjangoModelFactory):
    """A wrong password for `user`, or for `typed`, a name that nobody has."""

    class Meta:
        model = FailedLogin
        exclude = ["typed"]

    user = None
    typed = "nobody"
    ip_address = "192.0.2.7"
    path_info = "/auth/login"
    name_digest = factory.LazyAttribute(lambda row: digest_of(row.user.username if row.user else row.typed))
    client = factory.LazyAttribute(lambda row: client_network(row.ip_address))


class AddressFactory(DjangoModelFactory):
    class Meta:
        model = Address

    user = factory.SubFactory(UserFactory)
    value = factory.Sequence(lambda n: f"whatsapp:+1415556{n:04}")
    proof = Address.Proof.TEXT
    linked_at = factory.LazyFunction(timezone.now)


class MessageFactory(DjangoModelFactory):
    """Sends through the service, which also makes the conversation and its participants."""

    class Meta:
        model = Message

    sender = factory.SubFactory(UserFactory)
    recipient = factory.SubFactory(UserFactory)
    content = factory.Sequence(lambda n: f"message {n}")

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **kwargs: Any) -> Message:
        sender, recipient = kwargs.pop("sender"), kwargs.pop("recipient")
        after = {name: kwargs.pop(name) for name in ("is_read", "created_at") if name in kwargs}
        message, _ = send_message(sender, recipient_id=recipient.pk, **kwargs)
        if after:
            Message.objects.filter(pk=message.pk).update(**after)
            message.refresh_from_db()
        return message


class BlockFactory(DjangoModelFactory):
    class Meta:
        model = Block

    blocker = factory.SubFactory(UserFactory)
    blocked = factory.SubFactory(UserFactory)


class ReportFactory(DjangoModelFactory):
    class Meta:
        model = Report

    reporter = factory.SubFactory(UserFactory)
    title = factory.Sequence(lambda n: f"report {n}")
    content = "Please look at this."


class ReplyFactory(DjangoModelFactory):
    """Asks the assistant, which has to be on; returns the reply that is due."""

    class Meta:
        model = Reply

    asker = factory.SubFactory(UserFactory)

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **kwargs: Any) -> Reply:
        asker, recipient = kwargs.pop("asker"), get_profile().user
        reply: Reply = Reply.objects.get(question=MessageFactory(sender=asker, recipient=recipient))
        if kwargs:
            Reply.objects.filter(pk=reply.pk).update(**kwargs)
            reply.refresh_from_db()
        return reply
