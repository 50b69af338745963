FROM python:3.11-slim AS build
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /srv
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
# The packages first: they change less often than the code. pyproject.toml pins every one of them.
COPY pyproject.toml ./
# `--build-arg EXTRA=otel` adds what traces need.
ARG EXTRA
RUN uv sync --no-default-groups ${EXTRA:+--extra "$EXTRA"}
# `--build-arg AVX2=1` has passwords hashed in little more than half the time, on processors with AVX2 alone.
ARG AVX2
RUN if [ -n "$AVX2" ]; then apt-get update -qq && apt-get install -qq -y --no-install-recommends gcc libc6-dev \
 && CFLAGS="-O3 -mavx2" uv sync --no-default-groups ${EXTRA:+--extra "$EXTRA"} \
    --reinstall-package argon2-cffi-bindings --no-binary-package argon2-cffi-bindings; fi
COPY app app
COPY alembic alembic
RUN python -m compileall -q app alembic

FROM python:3.11-slim
# As process 1 it passes every signal on from the first moment, when Python does not listen yet.
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
WORKDIR /srv
COPY --from=build /srv/.venv .venv
COPY --from=build /srv/pyproject.toml ./
COPY --from=build /srv/alembic alembic
COPY --from=build /srv/app app
# Temporary files go where a container may write even if its root is read-only.
ENV PATH=/srv/.venv/bin:$PATH PYTHONUNBUFFERED=1 LITESTAR_HOST=0.0.0.0 LITESTAR_PORT=8000 TMPDIR=/dev/shm
ARG AVX2
# The start compares it with /proc/cpuinfo.
ENV PROCESSOR_FLAGS=${AVX2:+avx2}
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["python", "-c", "\
import os, http.client; \
service = http.client.HTTPConnection('127.0.0.1', os.environ['LITESTAR_PORT'], timeout=2); \
service.request('GET', '/health/live'); \
exit(service.getresponse().status != 200)"]
# In exec form, so that a signal reaches the service itself.
ENTRYPOINT ["tini", "-s", "--"]
CMD ["python", "-m", "app"]
