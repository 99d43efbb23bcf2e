"""The service's functions hosted by BentoML: ``bentoml serve benchmarks.peers.bentoml_host:Classifier``.

In its environment only. Worker processes as many as CPUs, as BentoML's documentation says for work that the CPU does.
"""

import os
from pathlib import Path
from typing import Annotated

import bentoml  # type: ignore[import-not-found] # in its own environment only

from benchmarks.peers.hosted import WORKERS, Hosted


@bentoml.service(workers=int(os.environ[WORKERS]), traffic={"timeout": 60})
class Classifier:
    """A form with a page in its field "file"."""

    def __init__(self) -> None:
        self._hosted = Hosted()

    @bentoml.api(route="/classify")  # type: ignore[untyped-decorator]
    def classify(self, file: Path) -> Annotated[bytes, bentoml.validators.ContentType("application/json")]:
        """Classify; BentoML has put the page into a file."""
        return self._hosted.answer(file.read_bytes())
