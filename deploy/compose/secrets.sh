#!/usr/bin/env bash
# The secrets of compose.production.yaml, each in a file of a folder that only its owner may enter; what is there stays.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p secrets && chmod 700 secrets

for name in postgres service replication; do
    [ -s "secrets/${name}_password" ] || od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"secrets/${name}_password"
done
password=$(cat secrets/service_password)
printf 'postgresql+asyncpg://service:%s@pgbouncer:6432/service?prepared_statement_cache_size=0' "$password" >secrets/database_url
printf 'postgresql+asyncpg://service:%s@primary:5432/service' "$password" >secrets/migration_url
printf '"service" "%s"\n' "$password" >secrets/pgbouncer_users
# The users in the containers are others.
chmod 644 secrets/*
