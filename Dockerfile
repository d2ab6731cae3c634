# The image that serves. Built in two stages: what builds does not serve.

FROM python:3.13-slim AS build
# The release that wrote uv.lock.
ARG UV_VERSION=0.13.9
RUN pip install --no-cache-dir --disable-pip-version-check "uv==${UV_VERSION}"
# Outside /app, so that a development mount over /app does not hide it.
ENV UV_PROJECT_ENVIRONMENT=/opt/venv \
    UV_PYTHON_DOWNLOADS=never \
    UV_COMPILE_BYTECODE=1 \
    UV_NO_CACHE=1
WORKDIR /app
# Alone, so that a change of the code does not install anew. Wheels only: no compiler.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --all-extras --no-dev --no-build
# What enters is listed in .dockerignore.
COPY . .
RUN ENVIRONMENT=build /opt/venv/bin/python manage.py collectstatic --no-input \
    && /opt/venv/bin/python -m compileall -q .

FROM python:3.13-slim
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
# Owns nothing, and writes nowhere: the root filesystem may be read-only.
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=3)"]
CMD ["python", "manage.py", "serve", "--host", "0.0.0.0"]
