"""Writes the demo's accounts: a superuser, a moderator, and ordinary people."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import chain, count, islice

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db.models import Max
from django.utils import timezone

from accounts.models import MODERATOR, User
from accounts.querysets import UserQuerySet
from accounts.services.roles import assign_roles
from aimessage.db.text import fold
from operations.demo.batches import write_in_batches
from operations.demo.chance import seeded, to_datetime
from operations.demo.names import DOMAIN, Person, person
from operations.progress import Steps

#: The password of every demo account. Documented, so no secret.
PASSWORD = "paper-lantern-1906"  # noqa: S105

ADMIN_EMAIL = f"admin@{DOMAIN}"
MODERATOR_EMAIL = f"moderator@{DOMAIN}"
#: The ordinary people with the most conversations; their logins are printed.
STAR_EMAILS = [person(0).email, person(1).email]

_STAFF = [
    Person("demo.admin", ADMIN_EMAIL, "Ada Keller", "Keeps the lights on.", None),
    Person("demo.moderator", MODERATOR_EMAIL, "Milan Petrović", "Reads the reports, twice.", None),
]
#: How long ago the first account was created.
_OLDEST = timedelta(days=200)


def demo_people() -> UserQuerySet:
    found: UserQuerySet = User.objects.filter(email_key__endswith=f"@{DOMAIN}")
    return found


def ordinary_people() -> UserQuerySet:
    found: UserQuerySet = demo_people().exclude(email_key__in=[ADMIN_EMAIL, MODERATOR_EMAIL])
    return found.order_by("pk")


def last_day(user: User) -> float:
    # A disabled account was last changed when it was disabled.
    return (timezone.now() if user.is_active else user.updated_at).timestamp()


def write_people(size: int) -> Steps:
    present = set(demo_people().values_list("email_key", flat=True))
    missing = list(islice(_absentees(present), max(0, size - len(present))))
    if not missing:
        return
    now = timezone.now()
    newest = demo_people().aggregate(at=Max("created_at"))["at"] or now - _OLDEST
    chance = seeded("people", size)
    # 0.99, so that the newest have had time to talk.
    joined = sorted(chance.uniform(0, 0.99) for _ in missing)
    password = make_password(PASSWORD)
    users = (
        _user(person, password, newest.timestamp() + share * (now - newest).total_seconds())
        for person, share in zip(missing, joined, strict=True)
    )
    yield from write_in_batches(users, _write, total=len(missing))


def _absentees(present: set[str]) -> Iterator[Person]:
    for candidate in chain(_STAFF, map(person, count())):
        if candidate.email not in present:
            yield candidate


def _user(person: Person, password: str, joined: float) -> User:
    return User(
        username=person.username,
        email=person.email,
        full_name=person.full_name,
        bio=person.bio,
        phone_number=person.phone_number,
        password=password,
        is_staff=person.email == ADMIN_EMAIL,
        is_superuser=person.email == ADMIN_EMAIL,
        created_at=to_datetime(joined),
    )


def _write(users: list[User]) -> None:
    _avoid_taken_names(users)
    User.objects.bulk_create(users)
    moderators = [user for user in users if user.email == MODERATOR_EMAIL]
    for user in moderators:
        assign_roles(user, Group.objects.filter(name=MODERATOR), actor=user)
    _disable_some(users)


def _avoid_taken_names(users: list[User]) -> None:
    # With --force, the database holds other accounts.
    keys = [fold(user.username) for user in users]
    names = set(User.objects.filter(username_key__in=keys).values_list("username_key", flat=True))
    numbers = [user.phone_number for user in users if user.phone_number]
    taken = set(User.objects.filter(phone_number__in=numbers).values_list("phone_number", flat=True))
    for user in users:
        if fold(user.username) in names:
            user.username = f"{user.username}.demo"
        if user.phone_number in taken:
            user.phone_number = None


def _disable_some(users: list[User]) -> None:
    disabled = []
    for user in users:
        chance = seeded("disabled", user.email)
        if user.email in (ADMIN_EMAIL, MODERATOR_EMAIL, *STAR_EMAILS) or chance.random() > 0.08:
            continue
        user.is_active = False
        user.updated_at = user.created_at + (timezone.now() - user.created_at) * chance.uniform(0.6, 0.95)
        disabled.append(user)
    User.objects.bulk_update(disabled, ["is_active", "updated_at"])
