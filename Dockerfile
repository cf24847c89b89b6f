# The image of any service: docker build --build-arg SERVICE=clearinghouse --build-arg MODULE=clearinghouse .
# SERVICE is the folder, MODULE what Python runs, PORT where it listens. The matching engine's core is
# compiled with CORE=compiled: docs/decisions/0008-the-core-is-python.md
ARG CORE=interpreted

FROM python:3.13-slim AS interpreted
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY constraints.txt scripts/pinned.py scripts/third_party.py ./
RUN --mount=type=cache,target=/root/.cache/pip \
    python pinned.py constraints.txt hatchling > build.txt \
    && pip install --require-hashes --no-deps --requirement build.txt && python -m venv --without-pip /venv

FROM interpreted AS compiled
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev python3-dev
RUN --mount=type=cache,target=/root/.cache/pip \
    python pinned.py constraints.txt hatch-mypyc msgspec sortedcontainers > compiler.txt \
    && pip install --require-hashes --no-deps --requirement compiler.txt
ENV MYPYPATH=/build/shared HATCH_BUILD_HOOKS_ENABLE=1

FROM ${CORE} AS build
ARG SERVICE
COPY shared/pyproject.toml shared/
COPY ${SERVICE}/pyproject.toml ${SERVICE}/
RUN --mount=type=cache,target=/root/.cache/pip \
    python third_party.py shared ${SERVICE} | python pinned.py constraints.txt > libraries.txt \
    && pip --python /venv install --require-hashes --no-deps --requirement libraries.txt
COPY shared shared
COPY ${SERVICE} ${SERVICE}
RUN pip wheel --no-deps --no-build-isolation --wheel-dir wheels ./shared ./${SERVICE} \
    && pip --python /venv install --no-deps --no-index wheels/*.whl \
    && pip --python /venv check

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /app --create-home exchange \
    && install --directory --owner exchange /var/lib/exchange
WORKDIR /app
COPY --from=build /venv /venv
ARG MODULE PORT=0
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 MODULE=${MODULE}
ENV EXCHANGE_HOST=0.0.0.0 EXCHANGE_PORT=${PORT} EXCHANGE_SNAPSHOT_DIR=/var/lib/exchange
USER exchange
CMD ["sh", "-c", "exec python -m $MODULE"]
