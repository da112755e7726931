# What installs is not what runs: the second stage has no pip cache and no source tree.
FROM python:3.12-slim AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
RUN python -m venv /opt/koshel \
    && /opt/koshel/bin/pip install --no-cache-dir --constraint constraints.txt '.[jwt,tracing]'

FROM python:3.12-slim
# Its home is where an embedded database would be, for a first try without PostgreSQL.
RUN useradd --uid 10001 --user-group --create-home --home-dir /var/lib/koshel --shell /usr/sbin/nologin koshel \
    && install --directory --owner=koshel --group=koshel --mode=0700 /keys
COPY --from=build /opt/koshel /opt/koshel
ENV PATH=/opt/koshel/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001
WORKDIR /var/lib/koshel
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, ssl, urllib.request as r; port = os.environ.get('KOSHEL_PORT', ''); tls = os.environ.get('KOSHEL_TLS_CERTIFICATE_FILE'); r.urlopen(('https' if tls else 'http') + '://127.0.0.1:' + (port if port.isdecimal() else '8080') + '/health/ready', timeout=4, context=ssl._create_unverified_context() if tls else None)"]
# Without an API key (`koshel key create`) it does not start.
# WARNING: with KOSHEL_AUTH=off it asks nobody who they are; publish its port only to those who may move everybody's money.
CMD ["koshel", "serve", "--host", "0.0.0.0"]
