FROM debian-system
COPY postgres /usr/lib/postgresql
COPY libraries /usr/lib/postgresql/libraries
COPY postgres.sh /usr/local/bin/docker-entrypoint.sh
ENV PATH=/usr/lib/postgresql/bin:$PATH LD_LIBRARY_PATH=/usr/lib/postgresql/libraries PGHOST=/var/run/postgresql PGDATA=/var/lib/postgresql/18/docker
RUN useradd --system --home-dir /var/lib/postgresql --uid 999 --user-group postgres 2>/dev/null || usermod --home /var/lib/postgresql postgres
RUN install -d -o postgres -g postgres -m 1777 /var/lib/postgresql && install -d -o postgres -g postgres -m 3777 /var/run/postgresql \
 && chmod 755 /usr/local/bin/docker-entrypoint.sh
VOLUME /var/lib/postgresql
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
