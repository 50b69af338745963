# The standby of compose.production.yaml: a copy of the primary, made once, that follows it.
set -euo pipefail
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    mkdir -p "$PGDATA" && chmod 700 "$PGDATA"
    PGPASSWORD=$(cat /run/secrets/replication_password) pg_basebackup --host=primary --username=replication \
        --pgdata="$PGDATA" --write-recovery-conf --checkpoint=fast
fi
exec "$@"
