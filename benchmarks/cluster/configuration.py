"""Configuration: what Patroni, HAProxy and PgBouncer are told. What differs from their defaults says why."""

from pathlib import Path
from typing import NamedTuple

TTL = 30
"""Seconds of Patroni's default until a leader that says nothing is replaced; 20 is the least."""


class Node(NamedTuple):
    """A PostgreSQL and its Patroni."""

    name: str
    port: int
    api: int


def patroni(node: Node, *, etcd: int, home: Path, programs: Path, synchronous: bool, ttl: int = TTL) -> str:
    """Patroni's own defaults, but for the mode, and for PostgreSQL's place."""
    address = f"127.0.0.1:{node.port}"
    retry = min(10, (ttl - 5) // 2)
    return f"""\
scope: users
name: {node.name}
restapi: {{listen: "127.0.0.1:{node.api}", connect_address: "127.0.0.1:{node.api}"}}
etcd3: {{hosts: "127.0.0.1:{etcd}"}}
bootstrap:
  dcs:
    ttl: {ttl}
    loop_wait: {ttl - 2 * retry}
    retry_timeout: {retry}
    synchronous_mode: {str(synchronous).lower()}
    postgresql:
      use_pg_rewind: true
      parameters: {{unix_socket_directories: "", shared_buffers: 32MB, max_connections: 100}}
  initdb:
    - {{auth: trust}}
    - {{encoding: UTF8}}
    - {{locale: C}}
    - {{locale-provider: builtin}}
    - {{builtin-locale: C.UTF-8}}
postgresql:
  listen: {address}
  connect_address: {address}
  bin_dir: {programs}
  data_dir: {home}/data
  pgpass: {home}/pgpass
  authentication:
    superuser: {{username: postgres}}
    replication: {{username: replicator}}
  pg_hba: ["host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]
"""


def haproxy(nodes: list[Node], services: list[int], *, postgres: int, http: int) -> str:
    """Asks a second apart: the default of 2 s and three failures would add 6 s to each outage."""
    primaries = "\n".join(f"    server {name} 127.0.0.1:{port} check port {api}" for name, port, api in nodes)
    replicas = "\n".join(f"    server service-{port} 127.0.0.1:{port} check" for port in services)
    return f"""\
global
    maxconn 2000
defaults
    mode tcp
    timeout connect 2s
    timeout check 2s
    timeout client 30m
    timeout server 30m
    default-server inter 1s fall 2 rise 1 on-marked-down shutdown-sessions
listen postgres
    bind 127.0.0.1:{postgres}
    option httpchk OPTIONS /primary
    http-check expect status 200
{primaries}
defaults
    mode http
    timeout connect 2s
    timeout check 2s
    timeout client 50s
    timeout server 65s
    option redispatch
    default-server inter 1s fall 2 rise 1
frontend service
    bind 127.0.0.1:{http}
    use_backend ready if {{ nbsrv(ready) gt 0 }}
    # None is, where the database is away: let the service say so itself.
    default_backend live
backend ready
    option httpchk GET /health/ready
{replicas}
backend live
    option httpchk GET /health/live
{replicas}
"""


def pgbouncer(port: int, *, target: int, log: Path) -> str:
    """Tries again after a second: for the default of 15 s nobody could write although a primary is there."""
    return f"""\
[databases]
postgres = host=127.0.0.1 port={target} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 200
default_pool_size = 20
server_login_retry = 1
logfile = {log}
"""
