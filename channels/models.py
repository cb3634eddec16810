"""Channels: our numbers, who is reached where, what came in and what goes out."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from aimessage.models import TimeStamped

#: An address is opaque: `+1415…`, `whatsapp:+521…`, `whatsapp:US.ENT.1349…`, a short code.
ADDRESS_MAX_LENGTH = 140
#: Characters of Twilio's identifiers, which have 34 so far.
SID_LENGTH = 64
WHATSAPP = "whatsapp:"


class Channel(models.TextChoices):
    SMS = "sms", "SMS"
    WHATSAPP = "whatsapp", "WhatsApp"

    @classmethod
    def of(cls, value: str) -> "Channel":
        """The channel of an address as Twilio writes it."""
        return cls.WHATSAPP if value.startswith(WHATSAPP) else cls.SMS


class Sender(models.Model):
    """One of our numbers. Rows are made when the first message comes to a number."""

    address = models.CharField(max_length=ADDRESS_MAX_LENGTH, unique=True)
    account_sid = models.CharField("account", max_length=SID_LENGTH)
    #: The pool that the number was last written to through.
    messaging_service_sid = models.CharField("pool", max_length=SID_LENGTH, blank=True)
    #: Who gets what is written to this number; AI_MESSAGE_TWILIO_INBOX where it is null.
    inbox = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    seen_at = models.DateTimeField(default=timezone.now)
    #: Until then nothing is sent from it, for this reason: the key is wrong, or the number is not ours.
    paused_until = models.DateTimeField(null=True, editable=False)
    paused_reason = models.CharField(max_length=200, blank=True, editable=False)
    #: Whose turn it is to send from it; only the job with this number may, until `busy_until`.
    turn = models.PositiveIntegerField(default=0, editable=False)
    busy_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["pk"]
        verbose_name = "number"

    def __str__(self) -> str:
        return self.address

    @property
    def channel(self) -> Channel:
        return Channel.of(self.address)


class Address(TimeStamped):
    """Where somebody is reached, as Twilio delivers it."""

    class Proof(models.TextChoices):
        #: A code that we showed came from there.
        TEXT = "text", "code texted to us"
        #: A code that we sent there was shown.
        SMS = "sms", "code sent by SMS"
        #: A contact's: there is no account to prove it for.
        NONE = "none", "none"

    value = models.CharField("address", max_length=ADDRESS_MAX_LENGTH, unique=True)
    #: Null: nobody's, and kept for `opted_out_at` or `invited_at`.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="addresses"
    )
    proof = models.CharField(max_length=4, choices=Proof, default=Proof.NONE)
    linked_at = models.DateTimeField(null=True)
    opted_out_at = models.DateTimeField(null=True)
    invited_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "addresses"
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=True, linked_at__isnull=True)
                | Q(user__isnull=False, linked_at__isnull=False),
                name="channels_address_linked_to_somebody",
            ),
        ]
        indexes = [
            # The sweep of addresses that are nobody's.
            models.Index(
                fields=["updated_at"], condition=Q(user__isnull=True), name="channels_address_nobodys"
            ),
        ]

    def __str__(self) -> str:
        return f"address {self.pk}"

    @property
    def channel(self) -> Channel:
        return Channel.of(self.value)

    @property
    def opted_out(self) -> bool:
        return self.opted_out_at is not None


class Alias(models.Model):
    """A second address of the same person: WhatsApp's id of a user who may hide the number."""

    value = models.CharField(max_length=ADDRESS_MAX_LENGTH, unique=True)
    address = models.ForeignKey(Address, on_delete=models.CASCADE, related_name="aliases")

    class Meta:
        verbose_name_plural = "aliases"

    def __str__(self) -> str:
        return f"alias {self.pk} of address {self.address_id}"


class Thread(models.Model):
    """What one address and one of our numbers write to each other; it belongs to one conversation."""

    address = models.ForeignKey(Address, on_delete=models.CASCADE, related_name="threads", db_index=False)
    sender = models.ForeignKey(Sender, on_delete=models.CASCADE, related_name="threads")
    #: The account that gets what comes in, and whose messages go out.
    inbox = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="threads"
    )
    #: Where it last wrote from: the address itself, or an alias. Answers go there.
    reply_to = models.CharField(max_length=ADDRESS_MAX_LENGTH)
    messaging_service_sid = models.CharField(max_length=SID_LENGTH, blank=True)
    #: When WhatsApp's window opened for the last time.
    last_inbound_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["address", "sender"], name="channels_thread_once")]

    def __str__(self) -> str:
        return f"thread {self.pk}"


class Receipt(models.Model):
    """A MessageSid that was taken, so that it is taken once. It keeps nothing else of who wrote."""

    class Outcome(models.TextChoices):
        STORED = "stored", "stored"
        #: Stored, and not answered: too many, or opted out.
        UNANSWERED = "unanswered", "stored, not answered"
        LINKED = "linked", "linked"
        KEYWORD = "keyword", "keyword"
        UNKNOWN = "unknown", "unknown number"
        INVITED = "invited", "invited"
        EMPTY = "empty", "empty"
        REFUSED = "refused", "refused"

    message_sid = models.CharField(max_length=SID_LENGTH, unique=True)
    outcome = models.CharField(max_length=10, choices=Outcome)
    message = models.OneToOneField(
        "messaging.Message", null=True, on_delete=models.SET_NULL, related_name="receipt"
    )
    # The sweep.
    received_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"receipt {self.pk}"


class LinkCode(models.Model):
    """A code that links an address. The code is derived from `salt` and the server's key: no table has it."""

    class Method(models.TextChoices):
        TEXT = "text", "texted to us"
        SMS = "sms", "sent by SMS"

    #: A new code takes the place of the one before.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="link_codes")
    method = models.CharField(max_length=4, choices=Method)
    #: Where it was sent; empty where it is to be texted to us.
    phone_number = models.CharField(max_length=20, blank=True)
    salt = models.CharField(max_length=32)
    #: A digest of the code, by which codes that are texted to us are found.
    digest = models.CharField(max_length=64, unique=True)
    failures = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    # The sweep.
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "method"], name="channels_code_once")]

    def __str__(self) -> str:
        return f"code {self.pk} of user {self.user_id}"


class Delivery(TimeStamped):
    """One part of a message, or one notice of ours, on its way to an address."""

    class State(models.TextChoices):
        PENDING = "pending", "pending"
        SENDING = "sending", "sending"
        ACCEPTED = "accepted", "accepted"
        SENT = "sent", "sent"
        DELIVERED = "delivered", "delivered"
        READ = "read", "read"
        FAILED = "failed", "failed"
        #: It is not clear whether Twilio took it.
        UNKNOWN = "unknown", "unknown"
        #: Waits until the contact writes: WhatsApp's window is closed.
        HELD = "held", "held"
        #: Never sent: the address is opted out.
        SKIPPED = "skipped", "skipped"

    class Notice(models.TextChoices):
        """Fixed texts of ours, which are no messages."""

        LINKED = "linked", "linked"
        INVITE = "invite", "invitation"
        STOPPED = "stopped", "answer to STOP"
        HELP = "help", "answer to HELP"
        CODE = "code", "code"
        TEMPLATE = "template", "template"

    #: Null for a notice.
    message = models.ForeignKey(
        "messaging.Message", null=True, on_delete=models.CASCADE, related_name="deliveries"
    )
    notice = models.CharField(max_length=8, choices=Notice, blank=True)
    #: Null for a code, which goes to the number that `code` names.
    thread = models.ForeignKey(Thread, null=True, on_delete=models.CASCADE, related_name="deliveries")
    code = models.ForeignKey(LinkCode, null=True, on_delete=models.CASCADE, related_name="deliveries")
    part = models.PositiveSmallIntegerField(default=1)
    parts = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=9, choices=State, default=State.PENDING)
    #: Twilio's name of it; null until it was accepted.
    sid = models.CharField(max_length=SID_LENGTH, null=True, unique=True)
    error_code = models.PositiveIntegerField(null=True)
    error = models.CharField(max_length=200, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    #: When the next try, or the next look at what became of it, is due; null where there is none.
    due_at = models.DateTimeField(null=True, default=timezone.now)
    #: When the request that is under way, or that no answer came to, was begun.
    asked_at = models.DateTimeField(null=True)
    #: A digest of that request's text, by which it is found in Twilio's list.
    asked_digest = models.CharField(max_length=64, blank=True)
    #: When Twilio took it.
    accepted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["message", "part"], condition=Q(notice=""), name="channels_delivery_part_once"
            ),
            models.CheckConstraint(
                condition=Q(thread__isnull=False) | Q(code__isnull=False),
                name="channels_delivery_goes_somewhere",
            ),
            models.CheckConstraint(
                condition=Q(message__isnull=False) | ~Q(notice=""), name="channels_delivery_of_something"
            ),
        ]
        indexes = [
            # What is to be sent, or looked at, next.
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="channels_delivery_due"),
            # Messages to one address leave in their order.
            models.Index(
                fields=["thread", "id"],
                condition=Q(state__in=["pending", "sending", "unknown", "held"]),
                name="channels_delivery_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"delivery {self.pk}"
