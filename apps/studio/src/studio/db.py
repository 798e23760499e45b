"""The two data planes: one control database, and one database per studio reached through tenancy."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Session

from roomtone_tenancy import Tenancy


class ControlBase(DeclarativeBase):
    """Rows of the control database."""


class StudioBase(DeclarativeBase):
    """Rows of a studio's own database."""


@dataclass(frozen=True, kw_only=True)
class Database:
    """Both planes, and how a transaction on each begins and ends.

    Attributes:
        engine: the control database.
        tenancy: the way to the studios' databases.
    """

    engine: Engine
    tenancy: Tenancy

    @contextmanager
    def control(self) -> Iterator[Session]:
        """One transaction in the control database: committed at the end, rolled back when the block raises."""
        with Session(self.engine, expire_on_commit=False) as db, db.begin():
            yield db

    @contextmanager
    def studio(self) -> Iterator[Session]:
        """One transaction in the current studio's database.

        Raises:
            roomtone_tenancy.errors.NoTenant: no studio is in scope.
        """
        with self.tenancy.session() as db, db.begin():
            yield db


def new_public_id() -> str:
    """An id for addresses and exports: UUID version 7, sortable by time, 74 random bits. Source: RFC 9562 section 5.7."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & ((1 << 48) - 1)) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=value))
