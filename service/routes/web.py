"""The pages for people: static files of this package, nothing from elsewhere. Knows HTTP only."""

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse

__all__ = ["WEB_FOLDER", "router"]

WEB_FOLDER = Path(__file__).parent.parent / "web"

# The files keep their names from one release to the next, so a browser has to ask each time.
_REVALIDATE = {"Cache-Control": "no-cache"}

router = APIRouter(include_in_schema=False)


@router.get("/")
async def index() -> FileResponse:
    """Classify a page by hand."""
    return FileResponse(WEB_FOLDER / "index.html", headers=_REVALIDATE)


@router.get("/docs")
async def docs() -> FileResponse:
    """Read the OpenAPI description."""
    return FileResponse(WEB_FOLDER / "docs.html", headers=_REVALIDATE)
