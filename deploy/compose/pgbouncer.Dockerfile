FROM debian:bookworm-slim
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends pgbouncer && rm -rf /var/lib/apt/lists/*
USER 10002:10002
EXPOSE 6432
# It ends when the transactions under way have ended.
STOPSIGNAL SIGINT
CMD ["pgbouncer", "/etc/pgbouncer/pgbouncer.ini"]
