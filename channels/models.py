"""SMS and WhatsApp: our numbers, people's addresses, the messages received and the deliveries sent."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from aimessage.models import TimeStamped

#: Addresses are opaque: `+1415…`, `whatsapp:+521…`, `whatsapp:US.ENT.1349…`, a short code.
ADDRESS_MAX_LENGTH = 140
#: Twilio's identifiers have 34 characters so far.
SID_LENGTH = 64
WHATSAPP = "whatsapp:"


class Channel(models.TextChoices):
    SMS = "sms", "SMS"
    WHATSAPP = "whatsapp", "WhatsApp"

    @classmethod
    def of(cls, value: str) -> "Channel":
        return cls.WHATSAPP if value.startswith(WHATSAPP) else cls.SMS


class Sender(models.Model):
    """One of our numbers. The first message to a number, or the first code from it, makes the row."""

    address = models.CharField(max_length=ADDRESS_MAX_LENGTH, unique=True)
    account_sid = models.CharField("account", max_length=SID_LENGTH)
    #: The pool through which the last message to this number came.
    messaging_service_sid = models.CharField("pool", max_length=SID_LENGTH, blank=True)
    #: The account that receives the messages to this number; null: AI_MESSAGE_TWILIO_INBOX.
    inbox = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    seen_at = models.DateTimeField(default=timezone.now)
    #: Nothing is sent until then, because our key is wrong or the number is not ours.
    paused_until = models.DateTimeField(null=True, editable=False)
    paused_reason = models.CharField(max_length=200, blank=True, editable=False)
    #: The current turn. Only the job that has this number may send, until `busy_until`.
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
    """An address of a person, exactly as Twilio writes it."""

    class Proof(models.TextChoices):
        #: The user texted us a code that we had shown them.
        TEXT = "text", "code texted to us"
        #: The user typed a code that we had sent there.
        SMS = "sms", "code sent by SMS"
        #: The address of a contact, who has no account to log in to.
        NONE = "none", "none"

    value = models.CharField("address", max_length=ADDRESS_MAX_LENGTH, unique=True)
    #: Null: belongs to nobody, and is kept for `opted_out_at` or `invited_at`.
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
            # The sweep of addresses that belong to nobody.
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
    """A second address of the same person: WhatsApp's id of a user, who may hide their number."""

    value = models.CharField(max_length=ADDRESS_MAX_LENGTH, unique=True)
    address = models.ForeignKey(Address, on_delete=models.CASCADE, related_name="aliases")

    class Meta:
        verbose_name_plural = "aliases"

    def __str__(self) -> str:
        return f"alias {self.pk} of address {self.address_id}"


class Thread(models.Model):
    """The exchange between one address and one of our numbers; it belongs to one conversation."""

    address = models.ForeignKey(Address, on_delete=models.CASCADE, related_name="threads", db_index=False)
    sender = models.ForeignKey(Sender, on_delete=models.CASCADE, related_name="threads")
    #: The account on our side: it receives what comes in, and its replies go out.
    inbox = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="threads"
    )
    #: The address or alias that the last message came from. Replies go there.
    reply_to = models.CharField(max_length=ADDRESS_MAX_LENGTH)
    messaging_service_sid = models.CharField(max_length=SID_LENGTH, blank=True)
    #: WhatsApp's customer service window is open for 24 hours from then; see windows.py.
    last_inbound_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["address", "sender"], name="channels_thread_once")]

    def __str__(self) -> str:
        return f"thread {self.pk}"


class Receipt(models.Model):
    """A MessageSid that was received, so that each is processed once. It does not say who wrote."""

    class Outcome(models.TextChoices):
        STORED = "stored", "stored"
        #: Stored without an answer: the sender wrote too much, or is opted out.
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
    """A code that links an address. The code itself is not stored; codes.py derives it from `salt`."""

    class Method(models.TextChoices):
        TEXT = "text", "texted to us"
        SMS = "sms", "sent by SMS"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="link_codes")
    method = models.CharField(max_length=4, choices=Method)
    #: The number that the code was sent to; empty for a code that is texted to us.
    phone_number = models.CharField(max_length=20, blank=True)
    salt = models.CharField(max_length=32)
    #: Finds the row of a code that is texted to us.
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
        #: Twilio may or may not have accepted it.
        UNKNOWN = "unknown", "unknown"
        #: WhatsApp's window is closed: it waits until the contact writes.
        HELD = "held", "held"
        #: Never sent, because the address is opted out or there is nothing left to say.
        SKIPPED = "skipped", "skipped"

    class Notice(models.TextChoices):
        """Fixed texts of ours, which belong to no message."""

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
    #: Null for a code, which goes to `code.phone_number`.
    thread = models.ForeignKey(Thread, null=True, on_delete=models.CASCADE, related_name="deliveries")
    code = models.ForeignKey(LinkCode, null=True, on_delete=models.CASCADE, related_name="deliveries")
    part = models.PositiveSmallIntegerField(default=1)
    parts = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=9, choices=State, default=State.PENDING)
    #: Twilio's MessageSid; null until Twilio accepts it.
    sid = models.CharField(max_length=SID_LENGTH, null=True, unique=True)
    error_code = models.PositiveIntegerField(null=True)
    error = models.CharField(max_length=200, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    #: When the next try or the next look-up is due; null if there is nothing left to do.
    due_at = models.DateTimeField(null=True, default=timezone.now)
    #: When the current request began: one in progress, or one that never got an answer.
    asked_at = models.DateTimeField(null=True)
    #: A digest of that request's text, which finds it in Twilio's list.
    asked_digest = models.CharField(max_length=64, blank=True)
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
            # What is to be sent or looked up next.
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="channels_delivery_due"),
            # Whether an earlier delivery to the same address still waits.
            models.Index(
                fields=["thread", "id"],
                condition=Q(state__in=["pending", "sending", "unknown", "held"]),
                name="channels_delivery_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"delivery {self.pk}"
