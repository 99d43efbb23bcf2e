"""The pages for people: static files of this package, nothing from elsewhere. Knows HTTP only."""

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import HTMLResponse

__all__ = ["WEB_FOLDER", "docs_router", "router"]

WEB_FOLDER = Path(__file__).parent.parent / "web"

# The files keep their names from one release to the next, so a browser has to ask each time.
_REVALIDATE = {"Cache-Control": "no-cache"}

router = APIRouter(include_in_schema=False)
docs_router = APIRouter(include_in_schema=False)


@router.get("/")
def index() -> HTMLResponse:
    """Classify a page by hand."""
    return HTMLResponse((WEB_FOLDER / "index.html").read_bytes(), headers=_REVALIDATE)


@docs_router.get("/docs")
def docs() -> HTMLResponse:
    """Read the OpenAPI description."""
    return HTMLResponse((WEB_FOLDER / "docs.html").read_bytes(), headers=_REVALIDATE)
