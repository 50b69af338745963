#!/usr/bin/env bash
# As much of the entry point of PostgreSQL's image as our files use.
set -euo pipefail
if [ "$1" = postgres ] && [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" && chmod 700 "$PGDATA"
    chown -R postgres:postgres /var/lib/postgresql /var/run/postgresql
    exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"
fi
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    password=$(cat "${POSTGRES_PASSWORD_FILE:-/dev/null}")
    # shellcheck disable=SC2086
    initdb --username=postgres ${POSTGRES_INITDB_ARGS:-} --pwfile=<(echo "${password:-none}")
    printf '%s\n' "unix_socket_directories = '/var/run/postgresql'" "listen_addresses = '*'" >>"$PGDATA/postgresql.conf"
    pg_ctl --wait --options="-c listen_addresses=''" start
    for script in /docker-entrypoint-initdb.d/*.sh; do . "$script"; done
    pg_ctl --wait --mode=fast stop
fi
exec "$@"
