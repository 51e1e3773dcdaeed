# docker compose up --build: see docs/engineering/containers.md
FROM python:3.13-slim AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
COPY share share
RUN pip install --no-cache-dir --constraint constraints.txt hatchling hatch-fancy-pypi-readme \
    && python -m hatchling build --target wheel --directory dist \
    && python -m venv --without-pip /opt/resolvent \
    && wheel=$(ls dist/*.whl) \
    && pip --python /opt/resolvent/bin/python install --no-cache-dir --constraint constraints.txt "$wheel[web]"

FROM python:3.13-slim
RUN pip uninstall --yes --quiet --root-user-action ignore pip \
    && rm -rf /usr/local/lib/python3*/ensurepip \
    && useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin resolvent
COPY --from=build /opt/resolvent /opt/resolvent
ENV PATH=/opt/resolvent/bin:$PATH TMPDIR=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001
EXPOSE 8484
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8484/healthz', timeout=4)"]
ENTRYPOINT ["resolvent"]
CMD ["serve", "--host", "0.0.0.0"]
