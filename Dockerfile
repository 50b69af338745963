FROM python:3.11-slim AS build
RUN pip install --no-cache-dir uv
WORKDIR /srv
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
# The packages first: they change less often than the code. pyproject.toml pins every one of them.
COPY pyproject.toml README.md ./
RUN uv sync --no-default-groups
COPY app app
COPY alembic alembic
RUN python -m compileall -q app alembic

FROM python:3.11-slim
RUN useradd --uid 10001 --no-create-home service
WORKDIR /srv
COPY --from=build /srv /srv
ENV PATH=/srv/.venv/bin:$PATH PYTHONUNBUFFERED=1 LITESTAR_HOST=0.0.0.0 LITESTAR_PORT=8000
USER service
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
# In exec form, so that a signal reaches the service itself.
CMD ["litestar", "run"]
