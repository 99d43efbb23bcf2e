"""The pages for people: static files of this package."""

from os import PathLike, stat_result
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

__all__ = ["SAMPLE_FILE", "WEB_FOLDER", "WebFiles", "router"]

WEB_FOLDER = Path(__file__).parent.parent / "web"
SAMPLE_FILE = "sample.jpg"
"""A synthetic page, MI/SYN-MI-0004.jpg of `python -m trainer synth OUT --count 16`."""

# A new release has the same file names.
_REVALIDATE = {"Cache-Control": "no-cache"}
_A_DAY = {"Cache-Control": "max-age=86400"}

router = APIRouter(include_in_schema=False)


@router.get("/")
def index() -> HTMLResponse:
    """Classify a page by hand."""
    return HTMLResponse((WEB_FOLDER / "index.html").read_bytes(), headers=_REVALIDATE)


@router.get("/docs")
def docs() -> HTMLResponse:
    """Read the OpenAPI description."""
    return HTMLResponse((WEB_FOLDER / "docs.html").read_bytes(), headers=_REVALIDATE)


class WebFiles(StaticFiles):
    """The files that the pages load."""

    def __init__(self) -> None:
        super().__init__(directory=WEB_FOLDER)

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Tell the browser how long to keep a file."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(_A_DAY if Path(full_path).name == SAMPLE_FILE else _REVALIDATE)
        return response
