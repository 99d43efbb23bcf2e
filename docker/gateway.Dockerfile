# The DICOM gateway: C-STORE on port 11112, its spool in /spool, or `folder IN OUT`. Nothing but Python and what the
# gateway needs is in the image: no model, no shell, no package manager, no pip. Built from the repository's root:
#   docker build -f docker/gateway.Dockerfile -t ecg-report-classifier/gateway:0.1.0 .
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# By its real path, which is there in the final image too; the base image may name it by a link.
RUN "$(python -c 'import os, sys; print(os.path.realpath(sys.executable))')" -m venv --without-pip /opt/venv \
 && python -m venv /opt/sbom
# The secret is this site's pip.conf, where there is one; the context may bring wheels/: docs/deployment/air-gapped.md.
RUN --mount=type=bind,target=/context --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=pip_conf,target=/etc/pip.conf \
    python -m pip --python /opt/venv/bin/python install -q --no-compile --only-binary :all: --require-hashes \
      -r /context/requirements/gateway.txt \
 && python -m pip --python /opt/sbom/bin/python install -q --only-binary :all: --require-hashes \
      -r /context/requirements/sbom.txt
COPY docker/rootfs.py /opt/
# Compiled here, as the image is never written to.
RUN find /opt/venv/bin -type f -delete \
 && python /opt/rootfs.py /rootfs /opt/venv \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash -s /rootfs -p / /rootfs
COPY LICENSE pyproject.toml /app/
COPY gateway /app/gateway
# A checkout's file modes are not the image's.
RUN /opt/sbom/bin/cyclonedx-py environment --pyproject /app/pyproject.toml --output-reproducible \
      -o /app/sbom.cdx.json /opt/venv/bin/python \
 && python -m compileall -q --invalidation-mode unchecked-hash /app \
 && chmod -R u=rwX,go=rX /app && mkdir -m 700 /spool

FROM scratch
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ECG report classifier: the DICOM gateway" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /rootfs /
# A layer of its own: an upgrade that changes no package carries a few kilobytes.
COPY --from=build /app /app
# A new named volume takes its owner from here.
COPY --from=build --chown=10001:10001 /spool /spool
ENV PATH=/opt/venv/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    ECG_GATEWAY_HOST=0.0.0.0 ECG_GATEWAY_SPOOL_DIR=/spool
WORKDIR /app
USER 10001:10001
EXPOSE 11112
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-IS", "-c", "import socket; socket.create_connection(('127.0.0.1', 11112), 4)"]
ENTRYPOINT ["python", "-m", "gateway"]
