"""What the provider is shown: the conversation with the assistant, and nothing else of the asker."""

from collections.abc import Sequence

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.models import User
from assistant.account import get_thread
from assistant.models import Profile, Reply, Thread
from assistant.turns import Turn, estimate_tokens
from messaging.models import Message, default_conversation_id
from messaging.selectors import in_conversation

#: Characters of one message; a longer one loses its middle.
LONGEST = 8000
LEFT_OUT = "\n[… left out …]\n"


def build_context(reply: Reply, *, question: str, profile: Profile, tokens: int) -> list[Turn]:
    """The turns of a call for `reply`, of about `tokens` at most, which end with the question."""
    system = Turn("system", f"{profile.prompt}\n\nToday is {timezone.now():%A, %d %B %Y} (UTC).")
    asked = Turn("user", _shortened(question))
    left = tokens - sum(estimate_tokens(turn.content) for turn in (system, asked))
    past = read_history(
        reply.asker, profile=profile, conversation_id=reply.conversation_id, before=reply.question_id
    )
    return [system, *merge_turns([*_newest(past, left), asked])]


def current_history(user: User, profile: Profile) -> list[Turn]:
    """What the next call would see of the conversation of `user` with the assistant."""
    conversation_id = default_conversation_id(user.pk, profile.user_id)
    turns = read_history(user, profile=profile, conversation_id=conversation_id)
    return _newest(turns, settings.ASSISTANT.context_tokens - estimate_tokens(profile.prompt))


def forget(user: User, profile: Profile) -> None:
    """Has the assistant see nothing any more of what was said up to now."""
    newest = Message.objects.between(user, profile.user_id).order_by("-pk").values_list("pk", flat=True)
    thread = get_thread(user, profile)
    Thread.objects.filter(pk=thread.pk).update(context_after=newest.first() or 0)


def read_history(
    user: User, *, profile: Profile, conversation_id: str, before: int | None = None
) -> list[Turn]:
    """The newest messages of a conversation that the assistant may see, each answer after its question.

    Questions that were asked after `before`, and wait, are not among them; answers to earlier ones are.
    """
    after = Thread.objects.filter(user=user, profile=profile).values_list("context_after", flat=True).first()
    seen = in_conversation(Message.objects.visible_to(user), user, conversation_id).filter(pk__gt=after or 0)
    if before is not None:
        seen = seen.filter(Q(pk__lt=before) | Q(sender=profile.user_id))
    rows = seen.order_by("-pk").values_list("pk", "sender_id", "content", "parent_id", named=True)[
        : settings.ASSISTANT.history
    ]
    ordered = sorted(rows, key=lambda row: (row.parent_id or row.pk, row.pk))
    return [
        Turn("assistant", _shortened(_without_opening(row.content, profile)))
        if row.sender_id == profile.user_id
        else Turn("user", _shortened(row.content))
        for row in ordered
    ]


def _newest(turns: Sequence[Turn], tokens: int) -> list[Turn]:
    """As many of the last turns as `tokens` hold, beginning with a question."""
    chosen: list[Turn] = []
    for turn in reversed(turns):
        tokens -= estimate_tokens(turn.content)
        if tokens < 0:
            break
        chosen.append(turn)
    while chosen and chosen[-1].role == "assistant" and len(chosen) < len(turns):
        chosen.pop()
    return chosen[::-1]


def merge_turns(turns: Sequence[Turn]) -> list[Turn]:
    """With two turns in a row of the same side made one: some models take no others."""
    merged: list[Turn] = []
    for turn in turns:
        if merged and merged[-1].role == turn.role:
            turn = Turn(turn.role, f"{merged.pop().content}\n\n{turn.content}")
        merged.append(turn)
    return merged


def opening_of(profile: Profile) -> str:
    """What the first answer in a conversation begins with."""
    return f"{profile.disclosure}\n\n" if profile.disclosure else ""


def _without_opening(content: str, profile: Profile) -> str:
    return content.removeprefix(opening_of(profile))


def _shortened(content: str) -> str:
    if len(content) <= LONGEST:
        return content
    half = (LONGEST - len(LEFT_OUT)) // 2
    return f"{content[:half]}{LEFT_OUT}{content[-half:]}"


def user_digest(user: User) -> str:
    """What the provider knows a user by."""
    return salted_hmac("assistant.user", str(user.pk), algorithm="sha256").hexdigest()[:32]
