"""Register, log in, send, page and run into errors, with the client that openapi-python-client makes."""

import sys
from typing import Any, TypeVar

from ai_messaging_client import AuthenticatedClient, Client
from ai_messaging_client.api.accounts import export_me, get_me, log_in, refresh_tokens, register_user
from ai_messaging_client.api.conversations import list_conversations
from ai_messaging_client.api.messages import (
    get_message,
    get_unread_count,
    list_received_messages,
    send_message,
    update_message,
)
from ai_messaging_client.models import (
    Conversation,
    ExportRequest,
    InvalidOrUnreadableProblem,
    LoginAnswer,
    LoginRequest,
    Message,
    MessageEditRequest,
    MessageRequest,
    RefreshRequest,
    RegisterRequest,
    TokenPair,
    UnreadCount,
    User,
)
from ai_messaging_client.types import UNSET, File

BASE_URL = sys.argv[1]
PASSWORD = "violet-tractor-42"
T = TypeVar("T")

anyone: Any = Client(base_url=BASE_URL)


def require(kind: type[T], answer: object) -> T:
    assert isinstance(answer, kind), answer
    return answer


def code_of(answer: Any) -> str:
    return str(answer.code)


def sign_up(username: str) -> tuple[LoginAnswer, AuthenticatedClient]:
    account = RegisterRequest(username=username, email=f"{username}@example.org", password=PASSWORD)
    assert require(User, register_user.sync(client=anyone, body=account)).username == username
    logged_in = log_in.sync(client=anyone, body=LoginRequest(username=username, password=PASSWORD))
    tokens = require(LoginAnswer, logged_in)
    return tokens, AuthenticatedClient(base_url=BASE_URL, token=tokens.access_token)


dora, doras = sign_up("dora")
emil, emils = sign_up("emil")

# Five messages, the first of them sent twice under one key.
sent: dict[int, str] = {}
for content in ("one", "one", "two", "three", "four", "five"):
    text = MessageRequest(recipient_id=emil.user.id, content=content)
    answer = send_message.sync(client=doras, body=text, idempotency_key=f"key-{content}")
    message = require(Message, answer)
    sent[message.id] = message.content
assert list(sent.values()) == ["one", "two", "three", "four", "five"]

# Every page, along the cursors that the ids are.
pages: list[list[str]] = []
before: Any = UNSET
while True:
    response = list_received_messages.sync_detailed(client=emils, limit=2, before=before)
    page = [require(Message, one) for one in require(list, response.parsed)]
    pages.insert(0, [one.content for one in page])
    if 'rel="next"' not in response.headers.get("Link", ""):
        break
    before = page[0].id
assert pages == [["one"], ["two", "three"], ["four", "five"]], pages
assert require(UnreadCount, get_unread_count.sync(client=emils)).unread_count == 5
# Asked for with nothing but what the generator puts in by itself.
assert len(require(list, list_received_messages.sync(client=emils, after=min(sent)))) == 4

# An edit, in a path that takes an id.
first = min(sent)
edited = update_message.sync(first, client=doras, body=MessageEditRequest(content="uno"))
assert require(Message, edited).content == "uno"

# An answer that is a file, and a list whose members may be null.
export = require(File, export_me.sync(client=doras, body=ExportRequest(current_password=PASSWORD)))
assert export.payload.read(2) == b"PK"
[conversation] = require(list, list_conversations.sync(client=emils))
assert conversation.other_user_kind == "person"
assert Conversation.from_dict({**conversation.to_dict(), "other_user_kind": None}).other_user_kind is None

# Errors: what each is stands in `code`.
refused = update_message.sync(first, client=emils, body=MessageEditRequest(content="eins"))
assert code_of(refused) == "not_sender"
again = RegisterRequest(username="DORA", email="other@example.org", password=PASSWORD)
taken = require(InvalidOrUnreadableProblem, register_user.sync(client=anyone, body=again))
assert (taken.code, taken.codes.to_dict()) == ("invalid", {"username": ["taken"]})
assert code_of(get_me.sync(client=anyone)) == "not_authenticated"
wrong = LoginRequest(username="dora", password="wrong-password-9")
assert code_of(log_in.sync(client=anyone, body=wrong)) == "invalid_credentials"
assert code_of(get_message.sync(2**50, client=doras)) == "not_found"
spent = RefreshRequest(refresh_token=dora.refresh_token)
require(TokenPair, refresh_tokens.sync(client=anyone, body=spent))
assert code_of(refresh_tokens.sync(client=anyone, body=spent)) == "invalid_token"

print("The story went as it should.")
