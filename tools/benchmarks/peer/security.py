"""Verifies bearer tokens, and loads the session with its user in one query."""

import hashlib
import os
import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated

import bcrypt
import jwt
from database import Reading, Writing
from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from models import RefreshToken, Session, User
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager

KEY = os.environ["SECRET_KEY"]
PRECISION = timedelta(minutes=1)
ACCESS, REFRESH = timedelta(minutes=30), timedelta(days=7)

bearer = HTTPBearer()
Credentials = Annotated[HTTPAuthorizationCredentials, Depends(bearer)]


async def find_user(database: AsyncSession, token: str) -> User:
    try:
        claims = jwt.decode(token, KEY, algorithms=["HS256"], audience="aimessage", issuer="aimessage")
    except jwt.PyJWTError as error:
        raise HTTPException(401, "Token is invalid or expired") from error
    if claims.get("type") != "access":
        raise HTTPException(401, "Token is invalid or expired")
    now = datetime.now(UTC)
    session = await database.scalar(
        select(Session)
        .join(Session.user)
        .options(contains_eager(Session.user))
        .where(
            Session.session_token == claims["sid"],
            Session.user_id == int(claims["sub"]),
            Session.is_active,
            Session.expires_at > now,
            User.is_active,
        )
    )
    if session is None:
        raise HTTPException(401, "Session has ended")
    if now - session.last_used_at > PRECISION:
        await database.execute(update(Session).where(Session.id == session.id).values(last_used_at=now))
    return session.user


async def reader(database: Reading, credentials: Credentials) -> User:
    return await find_user(database, credentials.credentials)


async def writer(database: Writing, credentials: Credentials) -> User:
    return await find_user(database, credentials.credentials)


Reader = Annotated[User, Depends(reader)]
Writer = Annotated[User, Depends(writer)]


def check_password(password: str, stored: str) -> bool:
    digest = hashlib.sha256(password.encode()).hexdigest().encode()
    return bcrypt.checkpw(digest, stored.removeprefix("bcrypt_sha256$").encode())


def make_token(kind: str, session: Session, username: str, now: datetime, lifetime: timedelta) -> str:
    claims = {
        "sub": str(session.user_id),
        "username": username,
        "sid": session.session_token,
        "type": kind,
        "jti": secrets.token_hex(16),
        "iat": now,
        "exp": now + lifetime,
        "iss": "aimessage",
        "aud": "aimessage",
    }
    return jwt.encode(claims, KEY, "HS256")


async def open_session(
    database: AsyncSession, user: User, device: str | None, address: str
) -> tuple[str, str]:
    now = datetime.now(UTC)
    stamps = {"created_at": now, "updated_at": now}
    session = Session(
        user_id=user.id,
        session_token=secrets.token_hex(32),
        device_info=device,
        ip_address=address,
        is_active=True,
        last_used_at=now,
        expires_at=now + REFRESH,
        **stamps,
    )
    database.add(session)
    await database.flush()
    access = make_token("access", session, user.username, now, ACCESS)
    refresh = make_token("refresh", session, user.username, now, REFRESH)
    digest = hashlib.sha256(refresh.encode()).hexdigest()
    database.add(
        RefreshToken(
            user_id=user.id,
            session_id=session.id,
            token=digest,
            expires_at=now + REFRESH,
            is_used=False,
            **stamps,
        )
    )
    return access, refresh
