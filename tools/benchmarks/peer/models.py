"""The application's tables for SQLAlchemy, without columns that no endpoint here needs."""

from datetime import datetime

from sqlalchemy import DateTime, ForeignKey
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    type_annotation_map = {datetime: DateTime(timezone=True)}


class User(Base):
    __tablename__ = "accounts_user"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str]
    username_key: Mapped[str] = mapped_column(deferred=True)
    password: Mapped[str] = mapped_column(deferred=True)
    email: Mapped[str]
    full_name: Mapped[str | None]
    bio: Mapped[str | None]
    phone_number: Mapped[str | None]
    is_active: Mapped[bool]
    is_superuser: Mapped[bool]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Session(Base):
    __tablename__ = "accounts_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("accounts_user.id"))
    session_token: Mapped[str]
    device_info: Mapped[str | None]
    ip_address: Mapped[str | None] = mapped_column(INET)
    is_active: Mapped[bool]
    last_used_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    user: Mapped[User] = relationship()


class RefreshToken(Base):
    __tablename__ = "accounts_refreshtoken"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int]
    session_id: Mapped[int]
    token: Mapped[str]
    expires_at: Mapped[datetime]
    is_used: Mapped[bool]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Conversation(Base):
    __tablename__ = "messaging_conversation"

    id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]


class Message(Base):
    __tablename__ = "messaging_message"

    id: Mapped[int] = mapped_column(primary_key=True)
    sender_id: Mapped[int | None] = mapped_column(ForeignKey("accounts_user.id"))
    recipient_id: Mapped[int | None] = mapped_column(ForeignKey("accounts_user.id"))
    conversation_id: Mapped[str] = mapped_column(ForeignKey("messaging_conversation.id"))
    content: Mapped[str]
    is_read: Mapped[bool]
    parent_id: Mapped[int | None]
    deleted_by_recipient: Mapped[bool]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    sender: Mapped[User | None] = relationship(foreign_keys=sender_id)
    recipient: Mapped[User | None] = relationship(foreign_keys=recipient_id)


class Participant(Base):
    __tablename__ = "messaging_participant"

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("messaging_conversation.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("accounts_user.id"))
    last_message_id: Mapped[int | None] = mapped_column(ForeignKey("messaging_message.id"))

    user: Mapped[User | None] = relationship()
    last_message: Mapped[Message | None] = relationship()


class Block(Base):
    __tablename__ = "messaging_block"

    id: Mapped[int] = mapped_column(primary_key=True)
    blocker_id: Mapped[int]
    blocked_id: Mapped[int]


class Report(Base):
    __tablename__ = "reports_report"

    id: Mapped[int] = mapped_column(primary_key=True)
    reporter_id: Mapped[int | None] = mapped_column(ForeignKey("accounts_user.id"))
    title: Mapped[str]
    content: Mapped[str]
    message_id: Mapped[int | None]
    status: Mapped[str]
    comment: Mapped[str | None]
    resolved_at: Mapped[datetime | None]
    resolved_by_id: Mapped[int | None] = mapped_column(ForeignKey("accounts_user.id"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    reporter: Mapped[User | None] = relationship(foreign_keys=reporter_id)
    resolver: Mapped[User | None] = relationship(foreign_keys=resolved_by_id)

    @property
    def resolved_by(self) -> int | None:
        return self.resolved_by_id

    @property
    def reporter_username(self) -> str | None:
        return self.reporter.username if self.reporter else None

    @property
    def resolver_username(self) -> str | None:
        return self.resolver.username if self.resolver else None
