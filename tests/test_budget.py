"""Budget: the log says at start-up whether the connections of all workers fit."""

from __future__ import annotations

import logging
import re
import socket
import time
from threading import Event
from typing import Any

import msgspec
import pytest
from anyio import to_thread

from app.operations.connection_budget import log_connection_budget
from app.settings import Settings
from app.settings.database_url import DatabaseUrl, parse_database_url

ADVICE = "lower DB_POOL_SIZE or DB_MAX_OVERFLOW, or raise max_connections"


async def told(caplog: pytest.LogCaptureFixture, settings: Settings, workers: int) -> tuple[str, str]:
    logger = logging.getLogger("app.operations.connection_budget")
    logger.addHandler(caplog.handler)
    with caplog.at_level("INFO", logger="app.operations.connection_budget"):
        await to_thread.run_sync(log_connection_budget, settings, workers)
    logger.removeHandler(caplog.handler)
    return caplog.records[-1].levelname, caplog.records[-1].getMessage()


async def test_connections_that_fit_are_a_matter_of_record(
    caplog: pytest.LogCaptureFixture, database: DatabaseUrl
) -> None:
    level, line = await told(caplog, Settings(database_url=database, db_pool_size=2, db_max_overflow=1), 3)

    assert level == "INFO"
    assert re.fullmatch(r"3 workers x \(2 \+ 1\) = 9 connections at most, the database allows \d+", line)


async def test_connections_that_do_not_fit_are_a_warning(
    caplog: pytest.LogCaptureFixture, database: DatabaseUrl
) -> None:
    level, line = await told(caplog, Settings(database_url=database, db_pool_size=1_000, db_max_overflow=1_000), 999)

    assert level == "WARNING"
    assert line.startswith("999 workers x (1000 + 1000) = 1998000 connections at most, but the database allows only ")
    assert line.endswith(f": {ADVICE}")


async def test_a_database_that_is_down_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    nowhere = parse_database_url("postgresql://ann:s3cret@127.0.0.1:1/x")

    level, line = await told(caplog, Settings(database_url=nowhere), 2)

    assert level == "WARNING"
    assert line.startswith("2 workers x (5 + 10) = 30 connections at most. Cannot use the database x on 127.0.0.1:1: ")


async def test_a_silent_name_server_does_not_hold_up_the_start(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, over = Event(), Event()

    def look_up(*_: Any, **__: Any) -> list[Any]:
        asked.set()
        over.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    began = time.monotonic()

    line = await told(caplog, Settings(database_url=parse_database_url("postgresql://ann@far.example/x")), 2)

    seconds = time.monotonic() - began
    over.set()
    assert asked.is_set()
    told_so = "2 workers x (5 + 10) = 30 connections at most. Cannot use the database x: no answer yet"
    assert line == ("WARNING", told_so)
    assert seconds < 10


async def test_a_pooler_is_not_asked(caplog: pytest.LogCaptureFixture, database: DatabaseUrl) -> None:
    pooled = msgspec.structs.replace(database, transaction_pooling=True)

    line = await told(caplog, Settings(database_url=pooled), 2)

    assert line == ("INFO", "2 workers x (5 + 10) = 30 connections at most, to the pooler")
