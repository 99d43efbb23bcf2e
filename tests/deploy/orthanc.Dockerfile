# Debian's Orthanc in the place of the example's: the package mirror is at hand where the image's registry is not.
ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM ${BASE_IMAGE}
RUN apt-get update && apt-get install -y --no-install-recommends orthanc && rm -r /var/lib/apt/lists \
 && rm -r /etc/orthanc/* && mkdir -p /var/lib/orthanc/db && chown -R root: /var/lib/orthanc
ENTRYPOINT ["Orthanc"]
CMD ["/etc/orthanc/"]
