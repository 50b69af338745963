# The database of compose.yaml, made once: the service's own role, which is no superuser, and who may connect.
psql --set ON_ERROR_STOP=1 --command 'CREATE ROLE service LOGIN' --command 'CREATE DATABASE service OWNER service'
cat >"$PGDATA/pg_hba.conf" <<'HBA'
# Only over the socket, which the containers of the service mount: as that role, or, in this container, as postgres.
local service service trust
local all postgres peer
HBA
