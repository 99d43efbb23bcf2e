"""The service's functions hosted by LitServe: ``python -m benchmarks.peers.litserve_host``, in its environment only.

Worker processes and HTTP servers as many as CPUs, as LitServe's documentation says for CPUs.
"""

import os
from typing import Any

import litserve  # type: ignore[import-not-found] # in its own environment only
from starlette.requests import Request
from starlette.responses import Response

from benchmarks.exchange import HOST
from benchmarks.peers.hosted import PORT, WORKERS, Hosted


class ClassifierApi(litserve.LitAPI):  # type: ignore[misc] # untyped where this project is checked
    """A form with a page in its field "file"."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe's
        """Load the bundle, in each worker process."""
        self._hosted = Hosted()

    def decode_request(self, request: Request) -> bytes:
        """Take the page out of the form, which LitServe has parsed."""
        form: Any = request
        page: bytes = form["file"].file.read()
        return page

    def predict(self, page: bytes) -> bytes:
        """Classify."""
        return self._hosted.answer(page)

    def encode_response(self, answer: bytes) -> Response:
        """Send the JSON as it is."""
        return Response(answer, media_type="application/json")


if __name__ == "__main__":
    workers = int(os.environ[WORKERS])
    server = litserve.LitServer(
        ClassifierApi(api_path="/classify"), accelerator="cpu", devices=1, workers_per_device=workers, timeout=60
    )
    server.run(
        host=HOST, port=int(os.environ[PORT]), num_api_servers=workers, generate_client_file=False, log_level="warning"
    )
