"""Failures: why a command failed, in one line."""

from __future__ import annotations

from asyncpg import UndefinedObjectError

from app.database.failures import command_error


def test_a_server_that_is_too_old_is_told_what_is_needed() -> None:
    refused = UndefinedObjectError('unrecognized configuration parameter "client_connection_check_interval"')

    told = command_error(refused, {"database": "x", "host": "db", "port": None}, None)

    assert str(told) == "Cannot use the database x on db:5432: the server is too old, PostgreSQL 14 is needed (42704)"
