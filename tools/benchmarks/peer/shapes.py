"""Pydantic models of requests and answers."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class Shape(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class UserOut(Shape):
    id: int
    username: str
    email: str
    full_name: str | None
    bio: str | None
    phone_number: str | None
    is_active: bool
    is_superuser: bool
    created_at: datetime
    updated_at: datetime


class MessageOut(Shape):
    id: int
    sender_id: int | None
    recipient_id: int | None
    content: str
    is_read: bool
    parent_id: int | None
    conversation_id: str
    created_at: datetime
    updated_at: datetime


class ConversationOut(Shape):
    conversation_id: str
    other_user_id: int | None
    other_user_name: str
    last_message: str
    last_message_at: datetime
    unread_count: int


class ReportOut(Shape):
    id: int
    reporter_id: int | None
    reporter_username: str | None
    title: str
    content: str
    message_id: int | None
    status: str
    comment: str | None
    resolved_at: datetime | None
    resolved_by: int | None
    resolver_username: str | None
    created_at: datetime
    updated_at: datetime


class CountOut(Shape):
    unread_count: int


class AnswerOut(Shape):
    message: str


class LoginOut(Shape):
    access_token: str
    refresh_token: str
    token_type: str
    user: UserOut


class MessageIn(BaseModel):
    recipient_id: int
    content: str = Field(min_length=1, max_length=20_000)


class LoginIn(BaseModel):
    username: str
    password: str
