# The service: HTTP in front of the bundles in /registry. Nothing but Python and what the service needs is in the image:
# no shell, no package manager, no pip. Built from the repository's root: docs/deployment/machine.md.
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
# service-cpu, or service-gpu for CUDA 13: a file in requirements/.
ARG REQUIREMENTS=service-cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# By its real path, which is there in the final image too; the base image may name it by a link.
RUN "$(python -c 'import os, sys; print(os.path.realpath(sys.executable))')" -m venv --without-pip /opt/venv \
 && python -m venv /opt/sbom \
 && python -m venv /opt/compiler
# The secret is this site's pip.conf, where there is one; the context may bring wheels/: docs/deployment/air-gapped.md.
RUN --mount=type=bind,target=/context --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=pip_conf,target=/etc/pip.conf \
    python -m pip --python /opt/venv/bin/python install -q --no-compile --only-binary :all: --require-hashes \
      -r /context/requirements/${REQUIREMENTS}.txt \
 && python -m pip --python /opt/sbom/bin/python install -q --only-binary :all: --require-hashes \
      -r /context/requirements/sbom.txt \
 && python -m pip --python /opt/compiler/bin/python install -q --only-binary :all: --require-hashes \
      -r /context/requirements/compiler.txt
# What nobody reads here: the libraries' tests, what compilers and type checkers take, what makes models and serves none.
RUN packages="$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
 && find "$packages/numpy" -name tests -prune -exec rm -r {} + \
 && find "$packages" \( -name '*.pyi' -o -name '*.h' -o -name '*.cc' -o -name '*.proto' \) -delete \
 && rm -r "$packages/numpy/f2py" "$packages/onnx/backend/test" "$packages/onnx/reference" \
      "$packages/onnxruntime/quantization" "$packages/onnxruntime/tools" "$packages/onnxruntime/transformers" \
      "$packages/pydicom/data/test_files"
COPY docker/rootfs.py /opt/
# Compiled here, as the image is never written to.
RUN find /opt/venv/bin -type f -delete \
 && python /opt/rootfs.py /rootfs /opt/venv \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash -s /rootfs -p / /rootfs
COPY LICENSE pyproject.toml docker/healthcheck.py /app/
COPY shared_preproc /app/shared_preproc
RUN /opt/compiler/bin/python /app/shared_preproc/native.py
COPY digitize /app/digitize
COPY model_registry /app/model_registry
COPY sources /app/sources
COPY service /app/service
COPY models /registry
# A checkout's file modes are not the image's.
RUN /opt/sbom/bin/cyclonedx-py environment --pyproject /app/pyproject.toml --output-reproducible \
      -o /app/sbom.cdx.json /opt/venv/bin/python \
 && python -m compileall -q --invalidation-mode unchecked-hash /app \
 && chmod -R u=rwX,go=rX /app /registry && mkdir /audit

FROM scratch
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ECG report classifier: the service" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /rootfs /
# A layer of its own: an upgrade that changes no package carries a few megabytes.
COPY --from=build /app /app
# A new named volume takes its owner and its content from here.
COPY --from=build --chown=10001:10001 /registry /registry
COPY --from=build --chown=10001:10001 /audit /audit
ENV PATH=/opt/venv/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 ORT_DISABLE_TELEMETRY=1 HOME=/tmp \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    ECG_HOST=0.0.0.0 ECG_MODELS_DIR=/registry
WORKDIR /app
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["python", "-IS", "/app/healthcheck.py"]
# `service` may be replaced: by `service.auth.keys`, to make a key.
ENTRYPOINT ["python", "-m"]
CMD ["service"]
