# syntax=docker/dockerfile:1
ARG PYTHON_VERSION=3.13

FROM python:${PYTHON_VERSION}-slim AS build
WORKDIR /build
RUN python -m pip install --no-cache-dir "uv>=0.5"
COPY pyproject.toml uv.lock README.md LICENSE ./
COPY exporter exporter
COPY alerts alerts
COPY dashboards/grafana dashboards/grafana
COPY deploy deploy
COPY docs/runbooks docs/runbooks
COPY docs/man docs/man
RUN python -m venv /opt/stalwart-exporter \
    && uv export --quiet --frozen --no-emit-project --no-dev --output-file requirements.txt \
    && uv pip install --python /opt/stalwart-exporter/bin/python --require-hashes --requirement requirements.txt \
    && uv pip install --python /opt/stalwart-exporter/bin/python --no-deps .

FROM python:${PYTHON_VERSION}-slim
RUN groupadd --system --gid 9787 stalwart-exporter \
    && useradd --system --uid 9787 --gid 9787 --home-dir /var/lib/stalwart-exporter --create-home stalwart-exporter
COPY --from=build /opt/stalwart-exporter /opt/stalwart-exporter
ENV PATH=/opt/stalwart-exporter/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    STALWART_EXPORTER_LISTEN=0.0.0.0:9787
USER stalwart-exporter
VOLUME /var/lib/stalwart-exporter
EXPOSE 9787
# Reads the same settings as `run`: mount the configuration, or set the environment, for the whole container.
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s --retries=3 \
    CMD ["stalwart-exporter", "healthcheck"]
ENTRYPOINT ["stalwart-exporter"]
CMD ["run"]
