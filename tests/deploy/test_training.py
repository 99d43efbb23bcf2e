"""The trainer's container makes a bundle of pages, and the running service answers with it."""

import threading
import time
from pathlib import Path

import pytest

from tests.deploy.stack import Stack
from tests.factories import page_jpeg
from trainer.synth import synthesize

pytestmark = pytest.mark.engine

TRAINING_LIMIT_S = 600
TAKE_OVER_LIMIT_S = 30.0
PAUSE_S = 0.1
SHORT_RUN = ("run", "/data", "--arch", "cnn", "--protocol", "published", "--epochs", "1", "--force", "--runs", "/runs")


class Sender(threading.Thread):
    """Classifies a page again and again until it is told to stop."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self._stack = stack
        self.stop = threading.Event()
        self.statuses: list[int] = []
        self.models: list[str] = []

    def run(self) -> None:
        page = page_jpeg()
        with self._stack.client() as client:
            while not self.stop.is_set():
                answer = client.post("/classify", files={"file": page})
                self.statuses.append(answer.status_code)
                self.models.append(answer.json()["model"]["name"])
                time.sleep(PAUSE_S)


def test_the_service_takes_over_what_was_trained(stack: Stack, tmp_path: Path) -> None:
    synthesize(tmp_path, count=24, seed=1)
    tmp_path.chmod(0o755)  # the container's user has to read it
    stack.variables["DATA"] = str(tmp_path)
    before = stack.state()["State"]["StartedAt"]
    sender = Sender(stack)
    sender.start()
    try:
        stack.compose("run", "--rm", "-T", "trainer", *SHORT_RUN, "--registry", "/registry", limit_s=TRAINING_LIMIT_S)
        end = time.monotonic() + TAKE_OVER_LIMIT_S
        while sender.models[-1] != "cnn" and time.monotonic() < end and sender.is_alive():
            time.sleep(0.2)
    finally:
        sender.stop.set()
        sender.join()
    assert (sender.models[0], sender.models[-1]) == ("fusion", "cnn")
    assert set(sender.statuses) == {200}
    assert stack.state()["State"]["StartedAt"] == before
    assert (
        stack.compose("run", "--rm", "-T", "trainer", "roll-back", "--registry", "/registry")
        == "production -> fusion/5\n"
    )
