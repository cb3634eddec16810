"""The peer: ten endpoints on FastAPI, SQLAlchemy 2 and Pydantic, over the same tables.

It does the same main work: token, session, statements, JSON. To its advantage, it lacks request ids,
throttles, idempotency keys, lockout, log files and most validation.
"""

from datetime import UTC, datetime
from typing import Annotated, TypeVar

from database import Reading, Writing
from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from models import Block, Conversation, Message, Participant, Report, User
from security import Reader, Writer, check_password, open_session
from shapes import (
    AnswerOut,
    ConversationOut,
    CountOut,
    LoginIn,
    LoginOut,
    MessageIn,
    MessageOut,
    ReportOut,
    UserOut,
)
from sqlalchemy import ColumnElement, and_, case, func, or_, select, union_all, update
from sqlalchemy.orm import aliased, joinedload, undefer

app = FastAPI(openapi_url=None)

Limit = Annotated[int, Query(ge=1, le=500)]
Before = Annotated[int | None, Query(ge=0)]
Row = TypeVar("Row")


def link_older(request: Request, response: Response, rows: list[Row], limit: int, cursor: str) -> list[Row]:
    # One row more than `limit` shows that there is another page.
    page = rows[:limit]
    if len(rows) > limit:
        older = request.url.include_query_params(before=getattr(page[-1], cursor))
        response.headers["Link"] = f'<{older}>; rel="next"'
    response.headers["Cache-Control"] = "no-store"
    return page


@app.post("/auth/login")
async def login(body: LoginIn, request: Request, database: Writing) -> LoginOut:
    found = select(User).options(undefer(User.password)).where(User.username_key == body.username.lower())
    user = await database.scalar(found)
    if user is None or not await run_in_threadpool(check_password, body.password, user.password):
        raise HTTPException(401, "Incorrect username or password")
    if not user.is_active:
        raise HTTPException(403, "User is disabled")
    address = request.client.host if request.client else "127.0.0.1"
    access, refresh = await open_session(database, user, request.headers.get("User-Agent"), address)
    await database.commit()
    answer = UserOut.model_validate(user)
    return LoginOut(access_token=access, refresh_token=refresh, token_type="bearer", user=answer)  # noqa: S106


@app.get("/auth/me", response_model=UserOut)
async def me(user: Reader, response: Response) -> User:
    response.headers["Cache-Control"] = "no-store"
    return user


@app.get("/messages", response_model=list[MessageOut])
async def messages(
    request: Request,
    response: Response,
    user: Reader,
    database: Reading,
    limit: Limit = 100,
    before: Before = None,
) -> list[Message]:
    sent = select(Message).where(Message.sender_id == user.id)
    received = select(Message).where(Message.recipient_id == user.id, ~Message.deleted_by_recipient)
    if before is not None:
        sent, received = sent.where(Message.id < before), received.where(Message.id < before)
    # Two limited index scans instead of an OR over the whole history.
    parts = [part.order_by(Message.id.desc()).limit(limit + 1) for part in (sent, received)]
    merged = aliased(Message, union_all(*parts).subquery())
    found = await database.scalars(select(merged).order_by(merged.id.desc()).limit(limit + 1))
    return link_older(request, response, list(found), limit, "id")[::-1]


@app.get("/messages/unread/count")
async def unread_count(user: Reader, database: Reading, response: Response) -> CountOut:
    response.headers["Cache-Control"] = "no-store"
    unread = select(func.count()).where(
        Message.recipient_id == user.id, ~Message.is_read, ~Message.deleted_by_recipient
    )
    return CountOut(unread_count=await database.scalar(unread) or 0)


def visible_to(user: User) -> ColumnElement[bool]:
    received = and_(Message.recipient_id == user.id, ~Message.deleted_by_recipient)
    # As a CASE: PostgreSQL would read all of a long conversation and sort it.
    return case((or_(Message.sender_id == user.id, received), True), else_=False)


@app.get("/messages/{message_id}", response_model=MessageOut)
async def message(message_id: int, user: Reader, database: Reading, response: Response) -> Message:
    response.headers["Cache-Control"] = "no-store"
    found = await database.scalar(select(Message).where(Message.id == message_id, visible_to(user)))
    if found is None:
        raise HTTPException(404, "Message not found")
    return found


@app.post("/messages", status_code=201, response_model=MessageOut)
async def send(body: MessageIn, user: Writer, database: Writing, response: Response) -> Message:
    response.headers["Cache-Control"] = "no-store"
    if body.recipient_id == user.id:
        raise HTTPException(400, "Cannot send message to yourself")
    if not body.content.strip():
        raise HTTPException(400, "content may not be blank")
    found = select(User.id).where(User.id == body.recipient_id, User.is_active)
    if await database.scalar(found) is None:
        raise HTTPException(404, "Recipient not found")
    low, high = sorted((user.id, body.recipient_id))
    now = datetime.now(UTC)
    # Locked, so that ids become visible in their order.
    conversation = await database.get(Conversation, f"conv_{low}_{high}", with_for_update=True)
    if conversation is None:
        conversation = Conversation(id=f"conv_{low}_{high}", created_at=now)
        database.add(conversation)
        database.add_all(Participant(conversation_id=conversation.id, user_id=one) for one in (low, high))
        await database.flush()
    blocked = select(Block.id).where(
        or_(
            and_(Block.blocker_id == user.id, Block.blocked_id == body.recipient_id),
            and_(Block.blocker_id == body.recipient_id, Block.blocked_id == user.id),
        )
    )
    if await database.scalar(blocked.limit(1)) is not None:
        raise HTTPException(403, "You cannot message this user")
    created = Message(
        sender_id=user.id,
        recipient_id=body.recipient_id,
        conversation_id=conversation.id,
        content=body.content,
        is_read=False,
        deleted_by_recipient=False,
        created_at=now,
        updated_at=now,
    )
    database.add(created)
    await database.flush()
    latest = update(Participant).where(Participant.conversation_id == conversation.id)
    await database.execute(
        latest.values(last_message_id=created.id), execution_options={"synchronize_session": False}
    )
    await database.commit()
    return created


@app.put("/messages/{message_id}/read")
async def read(message_id: int, user: Writer, database: Writing, response: Response) -> AnswerOut:
    response.headers["Cache-Control"] = "no-store"
    found = await database.scalar(select(Message).where(Message.id == message_id, visible_to(user)))
    if found is None:
        raise HTTPException(404, "Message not found")
    if found.recipient_id != user.id:
        raise HTTPException(403, "Only the recipient can mark this message as read")
    found.is_read = True
    await database.commit()
    return AnswerOut(message="Message marked as read")


@app.get("/auth/conversations")
async def conversations(
    request: Request,
    response: Response,
    user: Reader,
    database: Reading,
    limit: Limit = 100,
    before: Before = None,
) -> list[ConversationOut]:
    unread = (
        select(func.count())
        .where(
            Message.recipient_id == user.id,
            Message.conversation_id == Participant.conversation_id,
            ~Message.is_read,
            ~Message.deleted_by_recipient,
        )
        .correlate(Participant)
        .scalar_subquery()
    )
    own = (
        select(Participant, unread)
        .join(Participant.last_message)
        .options(
            joinedload(Participant.last_message).joinedload(Message.sender).load_only(User.username),
            joinedload(Participant.last_message).joinedload(Message.recipient).load_only(User.username),
        )
        .where(Participant.user_id == user.id)
        .order_by(Participant.last_message_id.desc())
        .limit(limit + 1)
    )
    if before is not None:
        own = own.where(Participant.last_message_id < before)
    rows = (await database.execute(own)).all()
    counts = {participant.id: count for participant, count in rows}
    page = link_older(request, response, [participant for participant, _ in rows], limit, "last_message_id")
    return [summary(participant.last_message, user, counts[participant.id]) for participant in page]


def summary(last: Message, user: User, unread: int) -> ConversationOut:
    other = last.recipient if last.sender_id == user.id else last.sender
    return ConversationOut(
        conversation_id=last.conversation_id,
        other_user_id=other.id if other else None,
        other_user_name=other.username if other else "Deleted user",
        last_message=last.content[:100],
        last_message_at=last.created_at,
        unread_count=unread,
    )


@app.get("/auth/conversations/{conversation_id}/messages", response_model=list[MessageOut])
async def conversation_messages(
    conversation_id: str,
    request: Request,
    response: Response,
    user: Reader,
    database: Reading,
    limit: Limit = 100,
    before: Before = None,
) -> list[Message]:
    taking_part = select(Participant.id).where(
        Participant.conversation_id == conversation_id, Participant.user_id == user.id
    )
    if await database.scalar(taking_part) is None:
        raise HTTPException(404, "Conversation not found")
    found = select(Message).where(Message.conversation_id == conversation_id, visible_to(user))
    if before is not None:
        found = found.where(Message.id < before)
    rows = await database.scalars(found.order_by(Message.id.desc()).limit(limit + 1))
    return link_older(request, response, list(rows), limit, "id")[::-1]


@app.get("/reports", response_model=list[ReportOut])
async def reports(
    request: Request,
    response: Response,
    user: Reader,
    database: Reading,
    limit: Limit = 100,
    before: Before = None,
) -> list[Report]:
    names = [
        joinedload(Report.reporter).load_only(User.username),
        joinedload(Report.resolver).load_only(User.username),
    ]
    own = select(Report).options(*names).where(Report.reporter_id == user.id)
    if before is not None:
        own = own.where(Report.id < before)
    rows = await database.scalars(own.order_by(Report.id.desc()).limit(limit + 1))
    return link_older(request, response, list(rows), limit, "id")
