"""What there is for a superuser to act on in the admin."""

from dataclasses import dataclass

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.utils import timezone

from accounts.models import FailedLogin, Invitation, PersonalToken, Role, Session, User
from accounts.services.leaving import find_pending, request_deletion
from accounts.tests.factors import enrol
from aimessage.jobs.models import Job
from aimessage.jobs.running import run_due
from aimessage.jobs.tests import tasks
from aimessage.mail.models import Mail
from aimessage.webhooks.models import Delivery, Endpoint
from aimessage.webhooks.services import BY_HAND, disable_endpoint, register_endpoint, send_test
from assistant.account import get_profile
from assistant.models import Profile, Thread
from channels.models import Address, Sender
from channels.models import Delivery as ChannelDelivery
from channels.models import Thread as ChannelThread
from reports.models import Report
from reports.services import file_report, moderate_report
from tests.factories import (
    FailedLoginFactory,
    InvitationFactory,
    MessageFactory,
    PersonalTokenFactory,
    ReportFactory,
    SessionFactory,
    UserFactory,
)

#: What is said in private, and so never in the trail.
WHISPER = "This is between the two of us."


@dataclass
class World:
    """bob insulted alice, who reported it, and is logged in once."""

    ruler: User
    bob: User
    session: Session
    report: Report
    resolved: Report
    role: Role
    failure: FailedLogin
    locked_out: User
    job: Job
    token: PersonalToken
    invitation: Invitation
    endpoint: Endpoint
    silent: Endpoint
    delivery: Delivery
    leaver: User
    mail: Mail
    assistant: Profile
    switched_off: Profile
    asked: Report
    number: Sender
    part: ChannelDelivery
    root: User
    view_report: Permission
    deletion_at: str
    next_invitation: int
    next_endpoint: int


@pytest.fixture
def world(superuser: User, alice: User, bob: User) -> World:
    message = MessageFactory(sender=bob, recipient=alice, content=WHISPER)
    report, _ = file_report(alice, title="Insults", content="See there.", message_id=message.pk)
    locked_out = UserFactory(username="dave")
    for _ in range(settings.LOCKOUT_FAILURES):
        FailedLoginFactory(user=locked_out, ip_address="10.0.0.2")
    tasks.break_down.enqueue()
    run_due()
    enrol(locked_out)
    resolved = moderate_report(
        ReportFactory(title="Done"), actor=superuser, status="resolved", comment="Old."
    )
    leaver = UserFactory(username="leo")
    request_deletion(leaver, erases=False)
    leaver.refresh_from_db()
    endpoint, silent = Endpoint(url="https://a.example/hook"), Endpoint(url="https://b.example/hook")
    for each in (endpoint, silent):
        register_endpoint(each)
    disable_endpoint(silent, reason=BY_HAND)
    delivery = send_test(endpoint)
    Delivery.objects.update(status="failed", due_at=None, settled_at=timezone.now())
    assistant = get_profile()
    asked = ReportFactory(reporter=alice, title="Asks for a person")
    hers = MessageFactory(sender=alice, recipient=UserFactory(username="helper-bot", kind="bot"))
    switched_off = Profile.objects.create(
        name="second", user=hers.recipient, is_active=False, prompt="p", disclosure="d"
    )
    Thread.objects.create(
        user=alice,
        profile=switched_off,
        paused_at=timezone.now(),
        paused_report=asked,
        paused_conversation_id=hers.conversation_id,
    )
    number = Sender.objects.create(
        address="+15005550006", account_sid="AC1", paused_reason="Wrong key", paused_until=timezone.now()
    )
    address = Address.objects.create(value="+14155550100", user=bob, linked_at=timezone.now())
    thread = ChannelThread.objects.create(address=address, sender=number, reply_to=address.value)
    part = ChannelDelivery.objects.create(
        message=message, thread=thread, state="failed", error_code=21614, error="No mobile", due_at=None
    )
    invitation = InvitationFactory()
    return World(
        root=superuser,
        view_report=Permission.objects.get(codename="view_report"),
        deletion_at=find_pending(leaver).deletion_at.isoformat(timespec="seconds"),
        next_invitation=invitation.pk + 1,
        next_endpoint=silent.pk + 1,
        assistant=assistant,
        switched_off=switched_off,
        asked=asked,
        number=number,
        part=part,
        leaver=leaver,
        mail=Mail.objects.create(kind="password_changed", user=bob, state="failed"),
        endpoint=endpoint,
        silent=silent,
        delivery=delivery,
        ruler=UserFactory(username="ruler", is_superuser=True),
        bob=bob,
        session=SessionFactory(user=bob, session_token="f" * 64),
        report=report,
        resolved=resolved,
        role=Role.objects.create(name="helper", description="Helps."),
        failure=FailedLoginFactory(user=bob, ip_address="10.0.0.1"),
        locked_out=locked_out,
        job=Job.objects.get(task_path__endswith="break_down"),
        token=PersonalTokenFactory(user=bob),
        invitation=invitation,
    )
