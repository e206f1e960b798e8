# syntax=docker/dockerfile:1
# The package with the locked versions of everything it stands on; docs/container.md says how it is built and run.
# torch's wheels bring their own CUDA, so the default base runs on GPUs too; a CUDA base states which driver is needed.
ARG BASE=python:3.11-slim

FROM ${BASE} AS base
# CUDA's images have no Python; Ubuntu 24.04's is 3.12
# hadolint ignore=DL3008
RUN command -v python3 > /dev/null || { \
      apt-get update && apt-get install -y --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/*; }

FROM base AS build
WORKDIR /source
COPY locks/uv.txt locks/dev.txt locks/build.txt locks/
RUN python3 -m venv /opt/uv \
 && /opt/uv/bin/python -m pip install --no-cache-dir --require-hashes -r locks/uv.txt \
 && python3 -m venv --without-pip /opt/emorealm
ENV UV_LINK_MODE=copy
RUN --mount=type=cache,target=/root/.cache/uv \
    /opt/uv/bin/uv pip install --python /opt/emorealm/bin/python --require-hashes \
      --build-constraints locks/build.txt -r locks/dev.txt
COPY . .
RUN --mount=type=cache,target=/root/.cache/uv \
    /opt/uv/bin/uv pip install --python /opt/emorealm/bin/python --no-deps --build-constraints locks/build.txt .

FROM base
COPY --from=build /opt/emorealm /opt/emorealm
# whoever the container runs as (--user) may write caches and, below /work, runs
RUN useradd --create-home --uid 10001 emorealm && mkdir -m 1777 /cache /work
ENV PATH=/opt/emorealm/bin:$PATH \
    HOME=/cache \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /work
USER emorealm
ENTRYPOINT ["emorealm"]
CMD ["--help"]
