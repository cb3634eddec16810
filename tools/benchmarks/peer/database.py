"""Engine and sessions. Reads run in autocommit, without BEGIN and ROLLBACK around a single SELECT."""

import os
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

engine = create_async_engine(
    os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"),
    # A worker is one thread on one of two cores: more would only queue in the database.
    pool_size=10,
    max_overflow=10,
    # asyncpg prepares every statement. A plan made for everybody sorts all that the hot user has: 0.9 s for
    # 50 of their conversations.
    connect_args={"server_settings": {"plan_cache_mode": "force_custom_plan"}},
)
writing = async_sessionmaker(engine, expire_on_commit=False)
reading = async_sessionmaker(engine.execution_options(isolation_level="AUTOCOMMIT"), expire_on_commit=False)


async def read_session() -> AsyncIterator[AsyncSession]:
    async with reading() as session:
        yield session


async def write_session() -> AsyncIterator[AsyncSession]:
    # The endpoint commits before it answers.
    async with writing() as session:
        yield session


Reading = Annotated[AsyncSession, Depends(read_session)]
Writing = Annotated[AsyncSession, Depends(write_session)]
