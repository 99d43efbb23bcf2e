"""Exit status 0 where the service of this container says that it is ready. Knows no more of it than its port."""

import http.client
import os
import sys

TIMEOUT_S = 4


def main() -> int:
    """Ask /health/ready."""
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("ECG_PORT") or 8000), timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/health/ready")
        return 0 if connection.getresponse().status == http.HTTPStatus.OK else 1
    except (OSError, http.client.HTTPException):
        return 1


if __name__ == "__main__":
    sys.exit(main())
