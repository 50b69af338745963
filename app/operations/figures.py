"""Figures: what a worker holds, and what it has read."""

from __future__ import annotations

from app.credentials.passwords import Passwords
from app.database.pool import Pool
from app.repository.reader import Reader

Figures = dict[str, tuple[float, str]]
"""The value of each, and what it is."""


def read_gauges(pool: Pool, pool_size: int, passwords: Passwords) -> Figures:
    """What this worker holds; `pool_size` is the pool's size without overflow."""
    in_use, idle = pool.checkedout(), pool.checkedin()
    return {
        "db_pool_size": (pool_size, "Connections that are kept open, DB_POOL_SIZE of each worker"),
        "db_pool_limit": (pool.size(), "Connections that may be open, with DB_MAX_OVERFLOW of each worker"),
        "db_pool_in_use": (in_use, "Connections that serve a request"),
        "db_pool_idle": (idle, "Connections that are open and free"),
        "db_pool_waiting": (pool.waiting, "Requests that wait for a connection"),
        "db_pool_overflow": (max(0, in_use + idle - pool_size), "Open connections beyond db_pool_size"),
        "password_hashes_under_way": (passwords.under_way, "Passwords that are being hashed or wait for it"),
        "password_hashes_limit": (passwords.limit, "Passwords that may be under way before more are turned away"),
    }


def read_counters(reader: Reader) -> Figures:
    """What this worker has read since it started."""
    return {
        "db_reads": (reader.asked, "Reads of rows and lists, which travel together where they arrive together"),
        "db_read_statements": (reader.statements, "Statements that were run for them"),
    }
