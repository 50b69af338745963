"""Answers: every contestant must give the same ones before it is measured."""

import json
from typing import Any

from benchmarks.servers import Running
from benchmarks.workloads import PAGE, deep_cursor, deep_page

USER = {"name": "Probe", "email": "probe@example.com", "password": "correct horse"}
DEVELOPER = {"name": "Probe", "email": "probe@example.com", "specialty": "backend"}


class AnswerError(Exception):
    """A contestant that answers something else does other work: its figures would say nothing."""


def check(running: Running) -> None:
    """Ask for one of everything. Raises: AnswerError."""
    size = running.database.size
    deep = deep_page(size)
    expect(running, "GET", "/health/live", 200)
    expect(running, "GET", "/users/1", 200, user(1))
    expect(running, "GET", f"/users/{size + 1_000_000}", 404)
    for page in (1, deep):
        envelope = {"total": size, "page": page, "size": PAGE, "pages": size // PAGE}
        expect(running, "GET", f"/users?page={page}&size={PAGE}", 200, {"items": slice_of(page)} | envelope)
    if running.server.has_cursor:
        expect_cursor_page(running, "", first_id=1)
        expect_cursor_page(running, deep_cursor(running), first_id=(deep - 1) * PAGE // 100 * 100 + 1)
    if running.server.writes:
        check_writes(running)


def check_writes(running: Running) -> None:
    created = expect(running, "POST", "/users", 201, body=USER)
    if created.keys() != {"id", "name", "email"}:
        raise AnswerError(f"{running.server.name}: a created user has the fields {sorted(created)}")
    expect(running, "POST", "/users", 409, body=USER)
    expect(running, "POST", "/users", 422 if running.server.name != "stock" else 400, body={"name": "Probe"})
    expect(running, "POST", "/developers/bulk", 201, {"created": 1}, body=[DEVELOPER])
    if running.database.remove_written() != (1, 1):
        raise AnswerError(f"{running.server.name}: one user and one developer were created, but not stored")


def expect_cursor_page(running: Running, cursor: str, *, first_id: int) -> None:
    page = expect(running, "GET", f"/users?cursor={cursor}&size={PAGE}", 200)
    if page["items"] != [user(id_) for id_ in range(first_id, first_id + PAGE)] or not page["next_cursor"]:
        raise AnswerError(f"{running.server.name}: wrong page behind cursor {cursor!r}")


def expect(running: Running, method: str, path: str, status: int, content: Any = None, *, body: Any = None) -> Any:
    """The decoded answer. Raises: AnswerError, if its status or (where one is given) its content differs."""
    given_status, given = running.request(method, path, json.dumps(body).encode() if body else None)
    if given_status != status or content not in (None, json.loads(given)):
        detail = f"{given_status} {given[:300]!r}\n{running.log_tail()}"
        raise AnswerError(f"{running.server.name}: {method} {path} answered {detail}")
    return json.loads(given)


def slice_of(page: int) -> list[dict[str, Any]]:
    return [user(id_) for id_ in range((page - 1) * PAGE + 1, page * PAGE + 1)]


def user(id_: int) -> dict[str, Any]:
    return {"id": id_, "name": f"User {id_}", "email": f"user{id_}@example.com"}
