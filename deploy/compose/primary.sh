# The database of compose.production.yaml, made once: the service's own role, which is no superuser, and the standby's.
psql --set ON_ERROR_STOP=1 \
    --set service="$(cat /run/secrets/service_password)" --set replication="$(cat /run/secrets/replication_password)" <<'SQL'
CREATE ROLE service LOGIN PASSWORD :'service';
CREATE DATABASE service OWNER service;
CREATE ROLE replication LOGIN REPLICATION PASSWORD :'replication';
SQL
cat >"$PGDATA/pg_hba.conf" <<'HBA'
local all postgres peer
host service service all scram-sha-256
host replication replication all scram-sha-256
HBA
