FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY bridge bridge
RUN python -m venv /opt/postroom && /opt/postroom/bin/pip install --no-cache-dir ".[postgres,pictures]"

FROM python:3.11-slim
# draws the pictures of !template preview
RUN apt-get update && apt-get install -y --no-install-recommends libpango-1.0-0 libpangoft2-1.0-0 \
  libharfbuzz-subset0 fonts-dejavu-core && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/postroom /opt/postroom
RUN useradd --system --create-home --home-dir /data --uid 991 postroom
USER postroom
# config.yaml, registration.yaml and the database live here
VOLUME /data
WORKDIR /data
ENV PATH=/opt/postroom/bin:$PATH
EXPOSE 29330 29331
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD \
  ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:29331/health', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["postroom"]
CMD ["run", "-c", "/data/config.yaml"]
