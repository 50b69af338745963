"""Database URL: every form that people paste works, and the others say why not."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from app.settings.database_url import parse_database_url


def arguments(text: str) -> dict[str, Any]:
    """What asyncpg is called with."""
    found = parse_database_url(text)
    _, given = dialect().create_connect_args(found.url)  # type: ignore[no-untyped-call]
    return {**given, **found.connect_args}


@pytest.mark.parametrize("scheme", ["postgresql+asyncpg", "postgresql", "postgres"])
def test_every_scheme_means_asyncpg(scheme: str) -> None:
    found = parse_database_url(f"{scheme}://super@localhost:5432/super")

    assert found.url.drivername == "postgresql+asyncpg"
    assert arguments(f"{scheme}://super@localhost:5432/super") == {
        "host": "localhost",
        "port": 5432,
        "user": "super",
        "database": "super",
    }


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://ann:p%40ss%2Fw@db/x", {"host": "db", "user": "ann", "password": "p@ss/w", "database": "x"}),
        ("postgresql://ann@[::1]:5433/x", {"host": "::1", "port": 5433, "user": "ann", "database": "x"}),
        ("postgresql://ann@/x?host=/run/postgresql", {"host": "/run/postgresql", "user": "ann", "database": "x"}),
        ("postgresql://db/x?ssl=require", {"host": "db", "database": "x", "ssl": "require"}),
        ("postgresql://db/x?sslmode=prefer", {"host": "db", "database": "x", "ssl": "prefer"}),
        ("postgresql://db/x?sslmode=disable", {"host": "db", "database": "x", "ssl": "disable"}),
        ("postgresql://db/x?ssl=true", {"host": "db", "database": "x", "ssl": "require"}),
        ("postgresql://db/x?connect_timeout=7", {"host": "db", "database": "x", "timeout": 7}),
        (
            "postgresql://db/x?application_name=mine",
            {"host": "db", "database": "x", "server_settings": {"application_name": "mine"}},
        ),
        (
            "postgresql://pooler:6432/x?prepared_statement_cache_size=0",
            {
                "host": "pooler",
                "port": 6432,
                "database": "x",
                "prepared_statement_cache_size": 0,
                "statement_cache_size": 0,
            },
        ),
        (
            "postgresql://db/x?prepared_statement_cache_size=500",
            {"host": "db", "database": "x", "prepared_statement_cache_size": 500},
        ),
        (
            "postgresql://ann:pw@a:5433,b/x?target_session_attrs=read-write",
            {
                "host": ["a", "b"],
                "port": [5433, 5432],
                "user": "ann",
                "password": "pw",
                "database": "x",
                "target_session_attrs": "read-write",
            },
        ),
        (
            "postgresql://ann@/x?host=a:5433&host=b:5434&target_session_attrs=any",
            {"host": ["a", "b"], "port": [5433, 5434], "user": "ann", "database": "x", "target_session_attrs": "any"},
        ),
        ("postgresql://ann:a,b@db/x", {"host": "db", "user": "ann", "password": "a,b", "database": "x"}),
        (
            "postgresql://ann:a,b@c@d,e/x",
            {"host": ["d", "e"], "port": [5432, 5432], "user": "ann", "password": "a,b@c", "database": "x"},
        ),
        ("postgresql://ann@%2Fsocket%2Ffolder/x", {"host": "/socket/folder", "user": "ann", "database": "x"}),
        ("postgresql://%2Frun%2Fp:5433/x", {"host": "/run/p", "port": 5433, "database": "x"}),
        ("postgresql://localhost/x?host=/cloudsql/p:r:i", {"host": "/cloudsql/p:r:i", "database": "x"}),
        ("postgresql:///x?host=db&port=5433&user=ann", {"host": "db", "port": 5433, "user": "ann", "database": "x"}),
        (
            "postgresql://a,b/x?port=5433,5434",
            {"host": ["a", "b"], "port": [5433, 5434], "database": "x"},
        ),
        (
            "postgresql://db/x?options=-csearch_path%3Dx%20--lock-timeout=5s%20-c%20work_mem=1MB",
            {
                "host": "db",
                "database": "x",
                "server_settings": {"search_path": "x", "lock_timeout": "5s", "work_mem": "1MB"},
            },
        ),
        (
            "postgresql://db/x?options=endpoint%3Dep-cool-1",
            {"host": "db", "database": "x", "server_settings": {"options": "endpoint=ep-cool-1"}},
        ),
        (
            "postgresql://ann@[::1]:5433,[fe80::2]/x",
            {"host": ["::1", "fe80::2"], "port": [5433, 5432], "user": "ann", "database": "x"},
        ),
    ],
)
def test_a_url_becomes_what_the_driver_takes(url: str, expected: dict[str, Any]) -> None:
    assert arguments(url) == expected


def test_only_an_empty_statement_cache_means_a_pooler() -> None:
    assert parse_database_url("postgresql://p/x?prepared_statement_cache_size=0").transaction_pooling
    assert not parse_database_url("postgresql://p/x?prepared_statement_cache_size=1").transaction_pooling
    assert not parse_database_url("postgresql://p/x").transaction_pooling


@pytest.mark.parametrize(("mode", "names"), [("verify-full", True), ("verify-ca", False)])
def test_a_verified_certificate_is_checked(mode: str, names: bool) -> None:
    context = arguments(f"postgresql://db/x?sslmode={mode}")["ssl"]

    assert isinstance(context, ssl.SSLContext)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, names)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "is not a URL of the form postgresql+asyncpg://user:password@host:5432/database"),
        ("localhost", "is not a URL of the form postgresql+asyncpg://user:password@host:5432/database"),
        ("postgresql://db:port/x", "is not a URL of the form postgresql+asyncpg://user:password@host:5432/database"),
        ("postgresql://a:5432:1,b/x", "is not a URL of the form postgresql+asyncpg://user:password@host:5432/database"),
        ("postgresql://a,,b/x", "is not a URL of the form postgresql+asyncpg://user:password@host:5432/database"),
        ("postgresql://db:99999/x", "needs a port between 1 and 65535"),
        ("postgresql://a:99999,b/x", "needs a port between 1 and 65535"),
        ("postgresql://db:0/x", "needs a port between 1 and 65535"),
        ("postgresql://db/x?port=abc", "needs a port between 1 and 65535"),
        ("postgresql://db/x?host=db:70000", "needs a port between 1 and 65535"),
        ("postgresql://a,b,c/x?port=1,2", "names 2 ports for 3 hosts"),
        (
            "postgresql://db/x?target_session_attrs=nonsense",
            "knows target_session_attrs=any, primary, standby, prefer-standby, read-write, read-only",
        ),
        ("postgresql://db/x?passfile=/nowhere", "names a passfile that cannot be read"),
        ("postgresql://db/x?gsslib=x", "gsslib parameter must be either 'gssapi' or 'sspi', got 'x'"),
        (
            "postgresql://ann:a/b@db/x",
            "is not a URL of the form postgresql+asyncpg://user:password@host:5432/database"
            ", where a password has %2F for / and %3F for ?",
        ),
        (
            "postgresql://db/x?pgbouncer=true",
            "does not know the parameter pgbouncer: write prepared_statement_cache_size=0",
        ),
        (
            "postgresql://db/x?options=-cstatement_timeout=5s",
            "cannot have statement_timeout in options: set DB_STATEMENT_TIMEOUT",
        ),
        ("sqlite://", "must begin with postgresql+asyncpg://, postgresql://, postgres://"),
        ("postgresql+psycopg://db/x", "must begin with postgresql+asyncpg://, postgresql://, postgres://"),
        ("postgresql://db/x?sslmod=require", "does not know the parameter sslmod"),
        ("postgresql://db/x?sslmode=maybe", "knows ssl=disable, allow, prefer, require, verify-ca, verify-full"),
        ("postgresql://db/x?ssl=require&ssl=disable", "names ssl twice"),
        (
            "postgresql://db/x?prepared_statement_cache_size=-1",
            "needs a whole number for prepared_statement_cache_size",
        ),
        ("postgresql://db/x?connect_timeout=soon", "needs a whole number of seconds for connect_timeout"),
        ("postgresql://db/x?sslmode=verify-full&sslrootcert=/nowhere", "names a certificate file that cannot be read"),
    ],
)
def test_another_url_says_why_not(url: str, reason: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011  # compared whole below
        parse_database_url(url)

    assert str(refused.value) == reason


def test_what_does_no_harm_is_ignored_by_name() -> None:
    url = "postgresql://db/x?keepalives=1&keepalives_idle=30&gssencmode=disable&channel_binding=prefer"

    found = parse_database_url(url)

    assert arguments(url) == {"host": "db", "database": "x"}
    assert found.ignored == ("channel_binding", "gssencmode", "keepalives", "keepalives_idle")


def test_no_password_is_shown() -> None:
    found = parse_database_url("postgresql://ann:s3cret@db/x")

    assert (repr(found), str(found)) == ("DatabaseUrl('postgresql+asyncpg://ann:***@db/x')",) * 2
