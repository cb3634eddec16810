from django.contrib.auth.models import Group

from accounts.models import MODERATOR, Role, User
from operations.legacy_import.tests.conftest import MoveIn, found
from operations.legacy_import.tests.old_backend import OldBackend


def test_roles_keep_their_ids_and_the_moderators_make_room(old: OldBackend, move_in: MoveIn) -> None:
    here = Role.objects.get(name=MODERATOR)
    old.user(1)
    old.add("roles", id=here.pk, name="vip", description="Very important")
    old.add("roles", id=here.pk + 4, name="Moderator", description=None)
    old.add("user_roles", id=1, user_id=1, role_id=here.pk)

    move_in(old)

    names = dict(Role.objects.values_list("pk", "name"))
    assert names == {here.pk: "vip", here.pk + 4: "Moderator", here.pk + 5: MODERATOR}
    assert Role.objects.get(name="vip").description == "Very important"
    moderator = Role.objects.get(name=MODERATOR)
    assert set(moderator.permissions.values_list("codename", flat=True)) == {"view_report", "change_report"}
    assert moderator.description == here.description
    user = User.objects.get()
    assert [group.name for group in user.groups.all()] == ["vip"]
    assert not user.is_staff
    assert Group.objects.create(name="new").pk > here.pk + 5


def test_the_role_moderator_is_one_with_the_one_here(old: OldBackend, move_in: MoveIn) -> None:
    old.user(1)
    old.add("roles", id=9, name="moderator", description="whatever")
    old.add("user_roles", id=1, user_id=1, role_id=9)

    move_in(old)

    assert list(Role.objects.values_list("pk", "name")) == [(9, MODERATOR)]
    user = User.objects.get()
    assert user.is_staff
    assert user.has_perm("reports.change_report")
    assert "can work reports" in found("roles", 9)[0]


def test_roles_that_share_a_name_are_one(loose: OldBackend, move_in: MoveIn) -> None:
    loose.user(1)
    loose.user(2)
    loose.add("roles", id=3, name="vip")
    loose.add("roles", id=4, name=" vip ", description="d" * 300)
    loose.add("roles", id=5, name=None, description="d" * 300)
    loose.add("user_roles", id=1, user_id=1, role_id=3)
    loose.add("user_roles", id=2, user_id="2", role_id="4")
    loose.add("user_roles", id=3, user_id=2, role_id=5)

    move_in(loose)

    assert found("roles", 4) == ["changed: merged with the earlier role of that name"]
    assert {user.pk for user in Group.objects.get(name="vip").user_set.all()} == {1, 2}
    assert len(Role.objects.get(name="role-5").description) == 255


def test_a_role_of_nobody_and_nobodys_role(loose: OldBackend, move_in: MoveIn) -> None:
    loose.user(1)
    loose.add("roles", id=3, name="vip")
    loose.add("roles", id=2**40, name="far")
    for pk, user, role in ((1, 1, 3), (2, 1, 3), (3, 9, 3), (4, 1, 8), (5, None, 3), (6, 1, "x")):
        loose.add("user_roles", id=pk, user_id=user, role_id=role)

    move_in(loose, refuses=True)

    assert found("user_roles", 1) == []
    assert found("user_roles", 2) == ["refused: says again what another row says"]
    assert found("user_roles", 3) == ["refused: its account is not there"]
    assert found("user_roles", 4) == ["refused: its role is not there"]
    assert found("user_roles", 5) == ["refused: its account is not there"]
    assert found("user_roles", 6) == ["refused: its role is not there"]
    assert found("roles", 2**40) == ["refused: its id is taken here, or too large for a role"]
