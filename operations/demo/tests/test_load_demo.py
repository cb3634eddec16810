import re
from collections import Counter
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db.models import F, Model
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.guesses import locked_users
from accounts.models import MODERATOR, FailedLogin, Session, User
from aimessage.audit.chain import current_head, verify_chain
from aimessage.audit.models import Entry
from aimessage.audit.services import append_entries
from aimessage.db.text import fold
from messaging.models import Block, Conversation, Message, Participant, default_conversation_id
from operations.demo import messages
from operations.demo.batches import batches
from operations.demo.chance import Clock, seeded
from operations.demo.dialogues import BLANKS, DIALOGUES
from operations.demo.management.commands.load_demo import LIMITS, MESSAGES_PER_PERSON
from operations.demo.names import person
from operations.demo.people import ADMIN_EMAIL, MODERATOR_EMAIL, PASSWORD
from operations.demo.script import read_script
from reports.context import context_of
from reports.models import Report
from tests.factories import MessageFactory, UserFactory

pytestmark = pytest.mark.django_db

ROWS: list[type[Model]] = [User, Session, Conversation, Participant, Message, Block, Report]
STAMPED: list[Any] = [User, Session, Message, Block, Report]


def load(people: int = 24, messages: int = 400, reports: int = 14, **options: Any) -> str:
    out = StringIO()
    call_command("load_demo", people=people, messages=messages, reports=reports, stdout=out, **options)
    return out.getvalue()


def counts() -> dict[str, int]:
    return {model.__name__: model._default_manager.count() for model in ROWS}


def assert_sound() -> None:
    """What holds of every database that was written through the services holds of this one."""
    now = timezone.now()
    for model in STAMPED:
        times = list(model.objects.order_by("pk").values_list("created_at", flat=True))
        assert times == sorted(times)
        assert not model.objects.filter(created_at__gt=now).exists()
        assert not model.objects.filter(updated_at__gt=now).exists()
        assert not model.objects.filter(updated_at__lt=F("created_at")).exists()
    members: dict[str, set[int | None]] = {}
    for participant in Participant.objects.select_related("user"):
        members.setdefault(participant.conversation_id, set()).add(participant.user_id)
        seen = Message.objects.visible_to(participant.user).filter(conversation=participant.conversation_id)
        assert participant.last_message == seen.order_by("-pk").first()
    assert set(members) == set(Conversation.objects.values_list("pk", flat=True))
    for message in Message.objects.select_related("parent", "sender", "recipient", "conversation"):
        assert message.sender is not None
        assert message.recipient is not None
        assert message.sender_id != message.recipient_id
        assert {message.sender_id, message.recipient_id} == members[message.conversation_id]
        assert message.created_at > max(message.sender.created_at, message.recipient.created_at)
        assert message.created_at >= message.conversation.created_at
        if message.conversation_id.startswith("conv_"):
            pair = default_conversation_id(message.sender_id, message.recipient_id)
            assert message.conversation_id == pair
        if message.parent:
            assert message.parent.conversation_id == message.conversation_id
            assert message.parent_id < message.pk
    for user in User.objects.filter(is_active=False):
        assert not user.sessions.filter(is_active=True).exists()
        assert not Message.objects.sent_by(user).filter(created_at__gt=user.updated_at).exists()
        assert not Message.objects.filter(recipient=user, created_at__gt=user.updated_at).exists()
    for block in Block.objects.select_related("blocker"):
        between = Message.objects.between(block.blocker, block.blocked_id)
        assert between.exists()
        assert not between.filter(created_at__gt=block.created_at).exists()
    for report in Report.objects.select_related("message", "reporter"):
        assert (report.resolved_at is not None) == (report.status == "resolved")
        assert (report.resolved_by is not None) == (report.status == "resolved")
        if report.resolved_at:
            assert report.created_at < report.resolved_at == report.updated_at
        if report.message:
            assert report.created_at > report.message.created_at
            assert report.reporter_id == report.message.recipient_id
            assert not report.message.deleted_by_recipient
            assert report.message_content == report.message.content
            assert report.message_sender_id == report.message.sender_id
        assert (report.message_content is None) == (report.message_sender_id is None)
    assert not Session.objects.filter(last_used_at__lt=F("created_at")).exists()
    assert not Session.objects.filter(expires_at__lte=F("last_used_at")).exists()


def test_the_sizes_are_met() -> None:
    load()

    assert (User.objects.count(), Message.objects.count(), Report.objects.count()) == (24, 400, 14)
    assert_sound()


def test_there_is_something_of_everything() -> None:
    load(people=40, messages=1000, reports=25)

    now = timezone.now()
    assert set(Report.objects.values_list("status", flat=True)) == {"open", "in_progress", "resolved"}
    assert Report.objects.filter(message__isnull=False).exists()
    assert Report.objects.filter(message__isnull=True, message_content__isnull=False).exists()
    assert Report.objects.filter(message_content__isnull=True).exists()
    assert Report.objects.exclude(comment=None).exists()
    for made in (
        Message.objects.filter(is_read=False),
        Message.objects.filter(deleted_by_recipient=True),
        Message.objects.filter(parent__isnull=False),
        Message.objects.filter(updated_at__gt=F("created_at")),
        Conversation.objects.exclude(pk__startswith="conv_"),
        Block.objects.all(),
        User.objects.filter(is_active=False),
        Session.objects.live(),
    ):
        assert made.exists()
        assert made.count() < 100 or made.model is Message
    oldest, newest = Message.objects.earliest("pk"), Message.objects.latest("pk")
    assert timedelta(days=50) < now - oldest.created_at < timedelta(days=60, minutes=5)
    assert now - newest.created_at < timedelta(hours=3)
    hours = Counter(Message.objects.values_list("created_at__hour", flat=True))
    assert sum(hours[hour] for hour in range(17, 23)) > 2 * sum(hours[hour] for hour in range(6))
    assert not any("{" in content for content in Message.objects.values_list("content", flat=True))
    assert any(not name.isascii() for name in User.objects.values_list("username", flat=True))


def test_logins_failed_and_nobody_is_locked_out_now() -> None:
    load(people=40)

    failures = FailedLogin.objects.order_by("pk")
    times = list(failures.values_list("attempt_time", flat=True))
    assert times == sorted(times)
    assert times[-1] < timezone.now()
    assert failures.filter(locked_out=True).count() > 1
    assert failures.filter(user=None).exists()
    assert not locked_users().exists()
    assert not failures.filter(attempt_time__lt=F("user__created_at")).exists()


def test_the_audit_trail_tells_what_the_moderators_did() -> None:
    load(people=40, messages=1000, reports=25)

    entries = Entry.objects.order_by("pk")
    times = list(entries.values_list("created_at", flat=True))
    assert times == sorted(times)
    assert times[-1] <= timezone.now()
    assert list(verify_chain(current_head()))
    resolved = Report.objects.filter(status="resolved")
    assert entries.filter(act="report.resolved").count() == resolved.count()
    shut_out = User.objects.filter(is_active=False)
    assert entries.filter(act="user.disabled").count() == shut_out.count()
    assert {"admin.login", "report.claimed", "user.role_given"} <= set(entries.values_list("act", flat=True))


def test_a_trail_that_stands_gets_no_row_before_it() -> None:
    append_entries([Entry(act="admin.login", sentence="Logged in.", request_id="x")])

    load()

    assert Entry.objects.count() == 1


def test_the_oldest_open_report_is_one_to_look_at() -> None:
    load(people=40, messages=1500, reports=25)

    report = Report.objects.filter(status="open").earliest("created_at")
    assert report.message is not None
    assert len(context_of(report)) > 2


def test_a_second_run_adds_nothing() -> None:
    load()
    before, times = counts(), list(User.objects.values_list("updated_at", "password"))

    out = load()

    assert counts() == before
    assert list(User.objects.values_list("updated_at", "password")) == times
    assert out.count("nothing to add") == 7


def test_smaller_sizes_take_nothing_away() -> None:
    load()
    before = counts()

    load(people=10, messages=10, reports=1)

    assert counts() == before


def test_larger_sizes_add_what_is_missing() -> None:
    load()

    load(people=30, messages=600, reports=30)

    assert (User.objects.count(), Message.objects.count(), Report.objects.count()) == (30, 600, 30)
    assert_sound()


def test_an_interrupted_run_is_finished_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operations.demo.batches.BATCH", 100)
    write, written = messages._write, []

    def write_two(drafts: list[Any]) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(drafts)
        write(drafts)

    monkeypatch.setattr(messages, "_write", write_two)
    with pytest.raises(CommandError, match="Run the same again"):
        load()
    assert Message.objects.count() == 200
    assert_sound()

    monkeypatch.setattr(messages, "_write", write)
    load()

    assert (User.objects.count(), Message.objects.count(), Report.objects.count()) == (24, 400, 14)
    assert_sound()


def test_it_is_the_same_every_time() -> None:
    def story() -> list[list[Any]]:
        load()
        return [
            list(User.objects.order_by("pk").values_list("username", "is_active")),
            sorted(Message.objects.values_list("content", "sender__username", "recipient__username")),
        ]

    first = story()
    for model in reversed(ROWS):
        model._default_manager.all().delete()

    assert story() == first


def test_the_printed_logins_work(client: APIClient) -> None:
    out = load()

    assert PASSWORD in out
    usernames = re.findall(r"^[│|] (\S+)", out, re.MULTILINE)
    assert len(usernames) == 4
    assert (out.count("/admin/"), out.count("/chat")) == (2, 2)
    for username in usernames:
        answer = client.post("/auth/login", {"username": username, "password": PASSWORD})
        assert answer.status_code == 200, username
    superuser, moderator, *talkers = (User.objects.get(username=name) for name in usernames)
    assert superuser.is_superuser
    assert superuser.email == ADMIN_EMAIL
    assert moderator.is_staff
    assert list(moderator.groups.values_list("name", flat=True)) == [MODERATOR]
    assert User.objects.superusers().count() == 1
    for talker in talkers:
        assert not talker.is_staff
        assert Message.objects.sent_by(talker).count() > 400 / 24


def test_a_terminal_gets_bars() -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    call_command("load_demo", people=6, messages=20, reports=2, stdout=out)

    assert "\x1b[" in out.getvalue()
    assert "20/20" in out.getvalue()
    assert PASSWORD in out.getvalue()


def test_long_work_is_told_of_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operations.demo.batches.BATCH", 100)
    monkeypatch.setattr("operations.progress.LINE_INTERVAL", -1)

    out = load()

    assert [line.split() for line in out.splitlines() if line.startswith("messages")] == [
        ["messages", str(done), "of", "400"] for done in (100, 200, 300, 400)
    ]


def test_a_talker_finds_the_conversations(client: APIClient) -> None:
    load()
    mara = User.objects.get(email=person(0).email)
    login = client.post("/auth/login", {"username": mara.username, "password": PASSWORD})
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {login.json()['access_token']}")

    listed = client.get("/auth/conversations").json()

    assert len(listed) == Participant.objects.listed_for(mara).count() > 2
    times = [conversation["last_message_at"] for conversation in listed]
    assert times == sorted(times, reverse=True)


def test_it_refuses_a_database_that_is_not_its_own(alice: User) -> None:
    with pytest.raises(CommandError, match="1 account") as refusal:
        load()

    assert "--force" in str(refusal.value)
    assert list(User.objects.all()) == [alice]
    assert counts() == dict.fromkeys(counts(), 0) | {"User": 1}


def test_it_refuses_when_others_have_joined_the_demo(alice: User) -> None:
    load(force=True)
    before = counts()

    with pytest.raises(CommandError, match="besides the demo's"):
        load(messages=500)

    assert counts() == before


def test_force_leaves_the_others_alone(alice: User, bob: User) -> None:
    said = MessageFactory(sender=alice, recipient=bob)
    namesake = UserFactory(username=person(0).username, phone_number=person(1).phone_number)
    before = list(User.objects.order_by("pk").values())

    load(force=True)

    assert User.objects.count() == 3 + 24
    assert list(User.objects.filter(pk__in=[alice.pk, bob.pk, namesake.pk]).order_by("pk").values()) == before
    assert list(Message.objects.filter(sender=alice)) == [said]
    assert Message.objects.filter(recipient__in=[alice, bob, namesake]).get() == said
    assert User.objects.get(email=person(0).email).username == f"{namesake.username}.demo"
    assert User.objects.get(email=person(1).email).phone_number is None


def test_an_address_taken_beforehand_is_not_promoted() -> None:
    UserFactory(username="early", email=ADMIN_EMAIL)

    out = load()

    assert not User.objects.superusers().exists()
    assert "early" in out
    assert "password changed since" in out


def test_it_says_what_was_changed_since() -> None:
    load()
    User.objects.filter(email=MODERATOR_EMAIL).update(is_active=False)
    User.objects.filter(email=ADMIN_EMAIL).update(is_superuser=False)

    out = load()

    assert "moderator, disabled since" in out
    assert "superuser no more" in out


def test_the_moderators_role_is_needed() -> None:
    Group.objects.filter(name=MODERATOR).delete()

    with pytest.raises(CommandError, match="role 'moderator'"):
        load()

    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("name", "size"),
    [(name, limit) for name, (low, high) in LIMITS.items() for limit in (low - 1, high + 1)]
    + [("messages", 24 * MESSAGES_PER_PERSON + 1)],
)
def test_a_size_out_of_bounds_is_an_error_that_changes_nothing(name: str, size: int) -> None:
    with pytest.raises(CommandError, match=f"--{name} must be"):
        load(**{name: size})

    assert not User.objects.exists()


def test_the_smallest_sizes_work() -> None:
    load(people=6, messages=0, reports=0)
    assert counts() == dict.fromkeys(counts(), 0) | {"User": 6, "Session": Session.objects.count()}

    load(people=6, messages=1, reports=3)
    assert (Message.objects.count(), Report.objects.count()) == (1, 3)
    assert_sound()

    for size in range(2, 12):
        load(people=6, messages=size, reports=3)
        assert Message.objects.count() == size

    load(people=6, messages=150, reports=20)
    assert (Message.objects.count(), Report.objects.count()) == (150, 20)
    assert_sound()


def test_every_person_is_somebody_else() -> None:
    everybody = [person(number) for number in range(LIMITS["people"][1])]

    assert len({fold(one.username) for one in everybody}) == len(everybody)
    assert len({one.email for one in everybody}) == len(everybody)
    assert max(Counter(one.phone_number for one in everybody if one.phone_number).values()) == 1
    for one in everybody:
        User(**vars(one), password="x").clean_fields(exclude=["username_key", "email_key", "name_words"])


def test_every_dialogue_can_be_played() -> None:
    for scripts in DIALOGUES.values():
        for script in scripts:
            lines = read_script(script)
            assert [line for line in lines if line[0] == "b"]
            for number, (_, answers, text) in enumerate(lines):
                assert answers <= number
                text.format(a="Ada", b="Ben", **{name: choices[0] for name, choices in BLANKS.items()})


def test_a_clock_stays_within_its_bounds() -> None:
    chance = seeded("clock")
    for span in (0.001, 60, 3600, 5000, 60 * 86400):
        clock = Clock(1_700_000_000.0, 1_700_000_000.0 + span)
        drawn = [clock.draw(chance, clock.start, clock.end) for _ in range(200)]
        assert clock.start <= min(drawn) <= max(drawn) <= clock.end
        assert max(drawn) - min(drawn) > span * 0.5


def test_batches_are_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operations.demo.batches.BATCH", 3)

    assert list(batches(range(7))) == [[0, 1, 2], [3, 4, 5], [6]]
