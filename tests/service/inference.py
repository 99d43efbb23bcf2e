"""Requests of the Open Inference Protocol, and its refusals."""

import base64
from typing import Any

import httpx

__all__ = ["error", "page_input"]


def page_input(*pages: bytes, **changes: Any) -> dict[str, Any]:
    """The one input of a request, with some of it changed."""
    data = [base64.b64encode(page).decode() for page in pages]
    return {"name": "page", "datatype": "BYTES", "shape": [len(pages)], "data": data} | changes


def error(response: httpx.Response, status: int, code: str) -> str:
    """What a refusal says, once it is what the protocol wants."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/json")
    body = response.json()
    assert body.keys() == {"error"}
    words: str = body["error"]
    assert words.startswith(f"{code}: ")
    return words
