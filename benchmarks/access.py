"""`python -m benchmarks.access`: what `ACCESS=token` costs a GET, and how long each way to be refused takes."""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import bcrypt

from app.credentials.passwords import hasher
from app.credentials.tokens import make_token, token_hash
from benchmarks import load
from benchmarks.load import Traffic
from benchmarks.measurement import Figures, cpu_seconds
from benchmarks.postgres import Database, Postgres, upgrade
from benchmarks.servers import SERVERS, Running

PEOPLE = 5_000
NAME = "benchmark_access"
FILL = """
INSERT INTO users (name, email, hashed_password, is_admin, active)
SELECT 'Person', CASE WHEN n % 2 = 0 THEN 'there' ELSE 'gone' END || n / 2 || '@example.com',
       ($1::text[])[1 + n / 2 % cardinality($1::text[])], n = 0, n % 2 = 0
FROM generate_series(0, 2 * $2::bigint - 1) AS n
"""
SIGN_IN = """
INSERT INTO sessions (token_hash, user_id, user_agent, expires_at)
SELECT hash, 2 * n - 1, '', now() + interval '1 day' FROM unnest($1::bytea[]) WITH ORDINALITY AS given (hash, n)
"""
REFUSED = {"unknown": "nobody", "wrong": "there", "deactivated": "gone"}


def made(postgres: Postgres, hashes: list[str]) -> Database:
    """A new database of people who are there and have odd ids, the first an administrator, and as many deactivated."""
    Database(postgres.url, 0).run(f"DROP DATABASE IF EXISTS {NAME}", f"CREATE DATABASE {NAME}")
    database = Database(postgres.url.set(database=NAME), PEOPLE)
    upgrade("ours", database)
    database.run(FILL, arguments=(hashes, PEOPLE))
    database.run("VACUUM (ANALYZE) users")
    return database


@contextmanager
def running(database: Database, **settings: str) -> Iterator[Running]:
    server = Running(SERVERS["ours"], database, **settings)
    try:
        yield server
    finally:
        server.stop()


def reads(postgres: Postgres, *, rounds: int, seconds: int) -> None:
    """Rates of GET by id, in turns: without tokens, one's own row, and another's as an administrator."""
    database = made(postgres, [hasher.hash("correct horse")])
    tokens = [make_token() for _ in range(PEOPLE)]
    database.run(SIGN_IN, arguments=([token_hash(token.encode()) for token in tokens],))
    database.run("VACUUM (ANALYZE) sessions")
    signed = {"open": [""] * PEOPLE, "own": tokens, "another's": [tokens[0]] * PEOPLE}
    figures: dict[str, list[Figures]] = {kind: [] for kind in signed}
    with (
        tempfile.TemporaryDirectory() as folder,
        running(database, ACCESS="open") as free,
        running(database, ACCESS="token") as closed,
    ):
        for kind, given in signed.items():
            lines = [f"/users/{2 * n + 1} {token}\n" for n, token in enumerate(given)]
            Path(folder, kind).write_text("".join(lines))
        for seed in range(rounds + 1):
            for kind in signed:
                server, traffic = free if kind == "open" else closed, Traffic("signed", 32, str(Path(folder, kind)))
                before = cpu_seconds(server, postgres)
                seen = load.run(server.port, traffic, users=PEOPLE, seconds=seconds, seed=seed)
                if seed:  # The first round warms up.
                    after = cpu_seconds(server, postgres)
                    spent = {name: (after[name] - before[name]) * 1e6 / seen.requests for name in after}
                    figures[kind].append(spent | {"rate": seen.requests / seen.seconds})
    print(f"{'':<10}{'requests/s':>12}{'of open':>10}{'10%':>8}{'90%':>8}{'CPU us':>8}{'PostgreSQL us':>15}")
    for kind, found in figures.items():
        of = [one["rate"] / other["rate"] for one, other in zip(found, figures["open"], strict=True)]
        tenths = statistics.quantiles(of, n=10)
        rate, ours, database_cpu = (
            statistics.median(one.get(name, 0) for one in found)
            for name in ("rate", "cpu_ms_per_request", "database_cpu_ms_per_request")
        )
        print(
            f"{kind:<10}{rate:>12,.0f}{statistics.median(of):>10.3f}{tenths[0]:>8.3f}{tenths[-1]:>8.3f}"
            f"{ours:>8.0f}{database_cpu:>15.0f}"
        )


def refusals(postgres: Postgres, *, samples: int) -> None:
    """Times of a 401, each way to it equally often and in no order, alone and with 16 others waiting."""
    own, other = hasher.hash("correct horse"), bcrypt.hashpw(b"correct horse", bcrypt.gensalt(12)).decode()
    print(f"{'':<44}{'ms':>9}{'10%':>9}{'90%':>9}")
    for hashes, title in (([own], "own hashes"), ([own, own, own, other], "a quarter bcrypt 12")):
        with running(made(postgres, hashes), ACCESS="token", THROTTLE="off") as server:
            for waiting in (0, 16):
                taken = refuse(server, samples=samples, clients=waiting + 1)
                for way, seconds in taken.items():
                    tenths = statistics.quantiles(seconds, n=10)
                    shown = (statistics.median(seconds), tenths[0], tenths[-1])
                    label = f"{title}, {waiting} wait, {way}" if waiting else f"{title}, {way}"
                    print(f"{label:<44}" + "".join(f"{one * 1e3:>9.0f}" for one in shown))


def refuse(server: Running, *, samples: int, clients: int) -> dict[str, list[float]]:
    """Seconds that each took, all by so many clients at once."""
    jobs = [(way, number) for way in REFUSED for number in range(samples)]
    random.shuffle(jobs)
    taken: dict[str, list[float]] = {way: [] for way in REFUSED}

    def sign_in(job: tuple[str, int]) -> None:
        way, number = job
        email = f"{REFUSED[way]}{number}@example.com"
        body = json.dumps({"email": email, "password": "another horse"}).encode()
        began = time.perf_counter()
        status, _ = server.request("POST", "/sessions", body)
        taken[way].append(time.perf_counter() - began)
        if status != 401:
            raise SystemExit(f"{status} instead of 401 for {email}:\n{server.log_tail()}")

    with ThreadPoolExecutor(clients) as threads:
        list(threads.map(sign_in, jobs))
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.access", description=__doc__)
    parser.add_argument("what", choices=("reads", "refusals"))
    parser.add_argument("--rounds", type=int, default=15, help="of reads")
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement of reads")
    parser.add_argument("--samples", type=int, default=60, help="of each way to be refused")
    options = parser.parse_args()
    postgres = Postgres()
    if options.what == "reads":
        load.require_wrk()
        reads(postgres, rounds=options.rounds, seconds=options.seconds)
    else:
        refusals(postgres, samples=options.samples)


if __name__ == "__main__":
    main()
