"""Random histories of messaging, done over the API and in plain Python: both agree after every step."""

import os
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from rest_framework.test import APIClient

from accounts.models import User
from accounts.services.sessions import open_session
from accounts.services.users import disable_user, enable_user
from tests.factories import UserFactory
from tests.histories.model import Follower, Said, World, default_name

#: How many histories, and steps in each. `make fuzz` asks for thousands.
HISTORIES = int(os.environ.get("HISTORIES", "24"))
STEPS = 20
#: Several machines, so that several processes share the work.
SHARDS = 4 if HISTORIES < 100 else 20
NAMES = ["alice", "bob", "carol"]
TEXTS = ["Noon?", "École buissonnière", "STRASSE", "🥐 " * 60, "a\u2028b", "noon or one"]
WORDS = ["noon", "école", "straße", "🥐", "o"]

#: On PostgreSQL a reader gets what is committed, and nothing of a history ever is.
FOLLOWS = connection.vendor == "sqlite"

who = st.integers(0, len(NAMES) - 1)
text = st.sampled_from(TEXTS)
#: Which of the messages so far: the newest are 0, 1, 2 …; past the end it is one that never was.
which = st.integers(0, 5)
room = st.sampled_from([None, None, "club", "den:2", "conv"])


class Messaging(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.undo = transaction.atomic()
        self.undo.__enter__()
        self.boss = UserFactory(username="root", is_superuser=True)
        self.users: list[User] = [UserFactory(username=name) for name in NAMES]
        self.clients = [APIClient() for _ in self.users]
        for index in range(len(self.users)):
            self.log_in(index)
        self.pks = [user.pk for user in self.users]
        self.world = World({user.pk: user.username for user in [*self.users, self.boss]})
        self.steps = 0
        self.followers = [Follower(client.get("/events").json()["cursor"]) for client in self.clients]

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.undo.__exit__(None, None, None)

    def log_in(self, index: int) -> None:
        _, tokens = open_session(self.users[index])
        self.clients[index].credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.access_token}")

    def pick(self, nth: int) -> int:
        """The id of the nth newest message, or one of none."""
        known = sorted(self.world.messages, reverse=True)
        return known[nth] if nth < len(known) else max(known, default=0) + 1000

    # --- What people do ---

    @initialize(lines=st.lists(st.tuples(who, who, text), min_size=3, max_size=8))
    def talk(self, lines: list[tuple[int, int, str]]) -> None:
        for sender, recipient, content in lines:
            self.send(sender, recipient, content, None, None)

    @rule(sender=who, recipient=who, content=text, name=room, parent=st.none() | which)
    def send(self, sender: int, recipient: int, content: str, name: str | None, parent: int | None) -> None:
        pk, other = self.pks[sender], self.pks[recipient]
        if name == "conv":
            name = default_name(*self.pks[:2])
        parent_pk = None if parent is None else self.pick(parent)
        body = {"recipient_id": other, "content": content, "conversation_id": name, "parent_id": parent_pk}
        expected = self.world.status_of_send(pk, other, name, parent_pk)

        answer = self.clients[sender].post("/messages", body)

        assert answer.status_code == expected, answer.content
        if expected == 201:
            self.keep(answer.json(), pk, other, name or default_name(pk, other), content, parent_pk)

    @rule(sender=who, content=text, nth=which, named=st.booleans())
    def answer_in_conversation(self, sender: int, content: str, nth: int, named: bool) -> None:
        said = self.world.messages.get(self.pick(nth))
        pk = self.pks[sender]
        name = said.conversation if said else "den:2"
        pair = self.world.pairs.get(name, frozenset())
        other = next(iter(pair - {pk}), self.pks[0]) if named else None
        parent = said.pk if said else None
        body = {"recipient_id": other, "content": content, "parent_id": parent}
        expected = self.world.status_of_send(pk, other, name, parent)

        answer = self.clients[sender].post(f"/auth/conversations/{name}/messages", body)

        assert answer.status_code == expected, answer.content
        if expected == 201:
            (recipient,) = pair - {pk} if pair else {other}
            self.keep(answer.json(), pk, recipient, name, content, parent)

    def keep(self, made: dict[str, Any], *fields: Any) -> None:
        said = Said(made["id"], *fields)
        assert {name: made[name] for name in said.shown()} == said.shown()
        self.world.send(said)

    @rule(user=who, nth=which, content=text)
    def edit(self, user: int, nth: int, content: str) -> None:
        pk = self.pick(nth)
        expected = self.world.status_of(self.pks[user], pk, only="sender")
        answer = self.clients[user].put(f"/messages/{pk}", {"content": content})
        assert answer.status_code == expected, answer.content
        if expected == 200:
            self.world.messages[pk].content = content

    @rule(user=who, nth=which)
    def read(self, user: int, nth: int) -> None:
        pk = self.pick(nth)
        expected = self.world.status_of(self.pks[user], pk, only="recipient")
        assert self.clients[user].put(f"/messages/{pk}/read").status_code == expected
        if expected == 200:
            self.world.messages[pk].is_read = True

    @rule(user=who, nth=which)
    def read_conversation(self, user: int, nth: int) -> None:
        pk, said = self.pks[user], self.world.messages.get(self.pick(nth))
        name = said.conversation if said else "den:2"
        expected = 200 if pk in self.world.pairs.get(name, ()) else 404
        answer = self.clients[user].put(f"/auth/conversations/{name}/read")
        assert answer.status_code == (401 if pk in self.world.disabled else expected)
        if answer.status_code == 200:
            for unread in self.world.unread(pk):
                unread.is_read |= unread.conversation == name

    @rule(user=who)
    def read_all(self, user: int) -> None:
        answer = self.clients[user].put("/messages/read-all")
        if self.pks[user] in self.world.disabled:
            assert answer.status_code == 401
            return
        assert answer.status_code == 200
        for unread in self.world.unread(self.pks[user]):
            unread.is_read = True

    @rule(user=who, nth=which)
    def delete(self, user: int, nth: int) -> None:
        pk = self.pick(nth)
        expected = self.world.status_of(self.pks[user], pk)
        assert self.clients[user].delete(f"/messages/{pk}").status_code == expected
        if expected == 200:
            self.world.delete(self.pks[user], pk)

    @rule(user=who, other=who)
    def block(self, user: int, other: int) -> None:
        pair = (self.pks[user], self.pks[other])
        answer = self.clients[user].post("/auth/blocks", {"user_id": pair[1]})
        if pair[0] in self.world.disabled:
            assert answer.status_code == 401
        elif user == other:
            assert answer.status_code == 400
        else:
            assert answer.status_code == (200 if pair in self.world.blocks else 201)
            self.world.blocks.add(pair)

    @precondition(lambda self: self.world.blocks)
    @rule(data=st.data())
    def unblock(self, data: Any) -> None:
        blocker, blocked = data.draw(st.sampled_from(sorted(self.world.blocks)))
        answer = self.clients[self.pks.index(blocker)].delete(f"/auth/blocks/{blocked}")
        assert answer.status_code == (401 if blocker in self.world.disabled else 200)
        if answer.status_code == 200:
            self.world.blocks.discard((blocker, blocked))

    @rule(user=who, nth=which)
    def report(self, user: int, nth: int) -> None:
        pk = self.pick(nth)
        seen = self.world.status_of(self.pks[user], pk)
        body = {"title": "Insults", "content": "Look at this.", "message_id": pk}
        answer = self.clients[user].post("/reports", body)
        assert answer.status_code == {200: 201, 404: 400, 401: 401}[seen]
        if seen == 200:
            self.world.reports[answer.json()["id"]] = (self.pks[user], pk)

    @rule(user=who)
    def disable_or_enable(self, user: int) -> None:
        pk = self.pks[user]
        if pk in self.world.disabled:
            enable_user(self.users[user], actor=self.boss)
            self.world.disabled.discard(pk)
            assert self.clients[user].get("/auth/me").status_code == 401, "its sessions are over"
            self.users[user].refresh_from_db()
            self.log_in(user)
        else:
            disable_user(self.users[user], actor=self.boss)
            self.world.disabled.add(pk)

    # --- What people see ---

    @invariant()
    def they_agree(self) -> None:
        self.steps += 1
        for index, pk in enumerate(self.pks):
            if pk in self.world.disabled:
                assert self.clients[index].get("/messages").status_code == 401
                continue
            self.follow(index, pk)
            self.see_counts(index, pk)
            self.see_lists(index, pk, self.steps + index)
            if self.steps % len(self.pks) == index:
                self.see_others(index, pk)

    def follow(self, index: int, pk: int) -> None:
        """The events since the last look make of what was known then what the lists say now."""
        follower, more = self.followers[index], FOLLOWS
        while more:
            page = self.clients[index].get(f"/events?after={follower.cursor}&limit=7").json()
            for event in page["events"]:
                follower.take(event["type"], event["data"])
            follower.cursor, more = page["cursor"], page["more"]
        if FOLLOWS:
            known = [self.kept(row) for _, row in sorted(follower.messages.items())]
            assert known == [said.shown() for said in self.world.seen_by(pk)]
            assert follower.blocked == {other for blocker, other in self.world.blocks if blocker == pk}

    def see_counts(self, index: int, pk: int) -> None:
        count = self.clients[index].get("/messages/unread/count").json()
        assert count == {"unread_count": len(self.world.unread(pk))}
        rows = self.clients[index].get("/auth/conversations").json()
        for row in rows:
            row.pop("last_message_at")
        assert rows == self.world.conversations_of(pk)

    def see_lists(self, index: int, pk: int, turn: int) -> None:
        """All messages, a second list, and one in small pages along its links; another at every step."""
        seen = self.world.seen_by(pk)
        other = self.pks[turn % len(self.pks)]
        word = WORDS[turn % len(WORDS)]
        rooms = [
            (name, [said for said in seen if said.conversation == name]) for name in self.world.rooms_of(pk)
        ]
        lists: list[tuple[str, list[Said]]] = [
            ("/messages?", seen),
            ("/messages/sent?", [said for said in seen if said.sender == pk]),
            ("/messages/received?", [said for said in seen if said.recipient == pk]),
            ("/messages?unread_only=true&", self.world.unread(pk)),
            (f"/messages?with_user={other}&", [s for s in seen if {s.sender, s.recipient} == {pk, other}]),
            (f"/messages?search={word}&", [s for s in seen if word.casefold() in s.content.casefold()]),
            *((f"/auth/conversations/{name}/messages?", held) for name, held in rooms),
        ]
        for path, held in (lists[0], lists[1 + turn % (len(lists) - 1)]):
            answer = self.clients[index].get(f"{path}limit=500").json()
            assert [self.kept(row) for row in answer] == [said.shown() for said in held], path
        path, held = lists[(turn * 5 + 1) % len(lists)]
        pages = self.walk(index, f"{path}limit=2")
        assert [row["id"] for page in reversed(pages) for row in page] == [said.pk for said in held], path

    def see_others(self, index: int, pk: int) -> None:
        pages = self.walk(index, "/auth/conversations?limit=1")
        names = [row["conversation_id"] for page in pages for row in page]
        assert names == [row["conversation_id"] for row in self.world.conversations_of(pk)]
        people = self.clients[index].get("/auth/directory?search=example").json()
        assert [row["id"] for row in people if row["id"] != self.boss.pk] == [
            other for other in self.world.people_for(pk) if other != self.boss.pk
        ]
        blocked = self.clients[index].get("/auth/blocks").json()
        assert {row["user_id"] for row in blocked} == {
            other for blocker, other in self.world.blocks if blocker == pk
        }
        reports = self.clients[index].get("/reports").json()
        assert [(row["id"], row["message_id"]) for row in reports] == self.world.reports_of(pk)

    def walk(self, index: int, url: str) -> list[list[dict[str, Any]]]:
        """The pages along `rel="next"`, and back along `rel="prev"`, which gives the same."""
        pages, answer = [], self.clients[index].get(url)
        while True:
            pages.append(answer.json())
            following = links(answer).get("next")
            if following is None:
                break
            answer = self.clients[index].get(following)
        for page in reversed(pages[:-1]):
            answer = self.clients[index].get(links(answer)["prev"])
            assert answer.json() == page, url
        return pages

    def kept(self, row: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in row.items() if name not in {"created_at", "updated_at"}}


def links(answer: Any) -> dict[str, str]:
    return parse_links(answer.headers.get("Link", ""))


def parse_links(header: str) -> dict[str, str]:
    """RFC 8288, as the API writes it: relation to path and query."""
    found = {}
    for part in filter(None, header.split(", ")):
        url, _, rel = part.partition("; ")
        split = urlsplit(url.strip("<>"))
        found[rel.removeprefix('rel="').rstrip('"')] = f"{split.path}?{split.query}"
    return found


@pytest.mark.django_db
@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_api_agrees_with_a_plain_model_after_every_step(shard: int) -> None:
    thorough = "HISTORIES" in os.environ
    machine = type(f"Messaging{shard}", (Messaging,), {})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=HISTORIES // SHARDS,
            stateful_step_count=STEPS,
            derandomize=not thorough,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        ),
    )
    assert connection.in_atomic_block
