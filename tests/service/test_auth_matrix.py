"""Each route, asked with each kind of credentials: the documented code, and nothing beside it."""

import base64
import json
import logging
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi.routing import iter_route_contexts

from service.app import create_app
from service.auth.keys import new_key
from tests.factories import page_jpeg
from tests.service.inference import error, page_input
from tests.service.issuer import AUDIENCE, Issuer, issuing
from tests.service.serving import problem, serving, settings_for
from tests.service.test_request_context import request_logged

OLD_KEY, OLD_LINE = new_key("pacs")
NEW_KEY, NEW_LINE = new_key("pacs")
STRANGE_KEY, _ = new_key("pacs")
SCOPE = "ecg.classify"

OF_ONE_MODEL = ["/v2/models/{model}", "/v2/models/{model}/versions/{version}"]
PROTECTED = [
    *(
        "POST /classify",
        "POST /digitize",
        "POST /reading",
        "GET /metrics",
        "GET /models",
        "GET /models/{name}/{version}/card",
    ),
    *(f"GET {path}{rest}" for path in OF_ONE_MODEL for rest in ("", "/ready")),
    *(f"POST {path}/infer" for path in OF_ONE_MODEL),
]
OPEN = [
    *("GET /", "GET /docs", "GET /health", "GET /health/live", "GET /health/ready"),
    *("GET /v2", "GET /v2/health/live", "GET /v2/health/ready"),
]
OPEN_FILES = ["GET /openapi.json", "GET /web/style.css"]
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)

Outcome = tuple[int, str]
GOOD: Outcome = (200, "")
REFUSED: Outcome = (401, "unauthorized")


def forged_header(**header: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")


CREDENTIALS: Mapping[str, tuple[Callable[[Issuer], str | None], Outcome]] = {
    "none": (lambda _: None, REFUSED),
    "empty": (lambda _: "Bearer", REFUSED),
    "another scheme": (lambda _: f"Basic {OLD_KEY}", REFUSED),
    "no scheme": (lambda _: OLD_KEY, REFUSED),
    "wrong key": (lambda _: f"Bearer {STRANGE_KEY}", REFUSED),
    "half a key": (lambda _: f"Bearer {OLD_KEY[:-1]}", REFUSED),
    "the hash of a key": (lambda _: f"Bearer {OLD_LINE.partition(':')[2]}", REFUSED),
    "the line of a key": (lambda _: f"Bearer {OLD_LINE}", REFUSED),
    "not ASCII": (lambda _: "Bearer schlüssel", REFUSED),
    "good key": (lambda _: f"Bearer {OLD_KEY}", GOOD),
    "second key": (lambda _: f"bearer  {NEW_KEY}", GOOD),
    "good token": (lambda issuer: f"Bearer {issuer.token(scope=f'openid {SCOPE}')}", GOOD),
    "scope as Entra writes it": (lambda issuer: f"Bearer {issuer.token(scp=SCOPE)}", GOOD),
    "scope as a role": (lambda issuer: f"Bearer {issuer.token(roles=[1, SCOPE])}", GOOD),
    "several audiences": (lambda issuer: f"Bearer {issuer.token(scope=SCOPE, aud=['a', AUDIENCE])}", GOOD),
    "elliptic": (
        lambda i: f"Bearer {i.token(scope=SCOPE, key=i.ec, algorithm='ES256', headers={'kid': 'ec-1'})}",
        GOOD,
    ),
    "no scope": (lambda issuer: f"Bearer {issuer.token()}", (403, "forbidden")),
    "part of a scope": (lambda issuer: f"Bearer {issuer.token(scope=SCOPE + '2', scp=7)}", (403, "forbidden")),
    "expired": (lambda i: f"Bearer {i.token(scope=SCOPE, exp=int(time.time()) - 60)}", REFUSED),
    "not yet valid": (lambda i: f"Bearer {i.token(scope=SCOPE, nbf=int(time.time()) + 600)}", REFUSED),
    "without an end": (lambda issuer: f"Bearer {issuer.token(scope=SCOPE, exp=None)}", REFUSED),
    "without a subject": (lambda issuer: f"Bearer {issuer.token(scope=SCOPE, sub=None)}", REFUSED),
    "wrong audience": (lambda issuer: f"Bearer {issuer.token(scope=SCOPE, aud='other')}", REFUSED),
    "no audience": (lambda issuer: f"Bearer {issuer.token(scope=SCOPE, aud=None)}", REFUSED),
    "wrong issuer": (lambda issuer: f"Bearer {issuer.token(scope=SCOPE, iss=issuer.url + '/')}", REFUSED),
    "alg: none": (lambda issuer: f"Bearer {issuer.unsigned()}", REFUSED),
    "HS256 with the public key": (lambda issuer: f"Bearer {issuer.confused()}", REFUSED),
    "HS256 with a published secret": (
        lambda i: f"Bearer {i.token(scope=SCOPE, key=b's' * 32, algorithm='HS256', headers={'kid': 'shared'})}",
        REFUSED,
    ),
    "an algorithm that is not listed": (lambda i: f"Bearer {i.token(scope=SCOPE, algorithm='RS512')}", REFUSED),
    "a stranger's signature": (lambda issuer: f"Bearer {issuer.token(scope=SCOPE, key=STRANGER)}", REFUSED),
    "a key for encryption": (lambda i: f"Bearer {i.token(scope=SCOPE, headers={'kid': 'encryption'})}", REFUSED),
    "an unknown key": (lambda issuer: f"Bearer {issuer.token(scope=SCOPE, headers={'kid': 'rsa-9'})}", REFUSED),
    "no key id": (lambda issuer: f"Bearer {issuer.token(scope=SCOPE, headers={'x': 'y'})}", REFUSED),
    "a key id that is no text": (lambda _: f"Bearer {forged_header(alg='RS256', kid=[1])}.e30.e30", REFUSED),
    "a header that is no JSON": (lambda _: "Bearer a.b.c", REFUSED),
    "a header without an end": (
        lambda _: f"Bearer {base64.urlsafe_b64encode(b'[' * 30000).decode().rstrip('=')}.e30.e30",
        REFUSED,
    ),
}


def matrix(routes: Sequence[str], whole: str) -> list[Any]:
    """Each route with each credentials; `make test` asks the route ``whole`` with all, and the others with few."""
    few = ("none", "wrong key", "good key")
    return [
        pytest.param(route, name, marks=() if route == whole or name in few else pytest.mark.campaign)
        for route in routes
        for name in CREDENTIALS
    ]


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def guarded(models_dir: Path, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    keys_file = tmp_path_factory.mktemp("keys") / "keys"
    keys_file.write_text(f"# of the archive\n{OLD_LINE}\n{NEW_LINE}\n\n")
    oidc = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE, "oidc_required_scope": SCOPE}
    with serving(settings_for(models_dir, keys_file=keys_file, **oidc)) as client:
        yield client


def ask(client: httpx.Client, route: str, headers: list[tuple[bytes, bytes]]) -> httpx.Response:
    method, path = route.split()
    page = page_jpeg()
    inference = json.dumps({"inputs": [page_input(page)]}).encode()
    content = None if method == "GET" else inference if path.startswith("/v2") else page
    path = path.format(name="tiny", model="tiny", version="1")
    return client.request(method, path, content=content, headers=headers)


def refused(response: httpx.Response, route: str, status: int, code: str) -> str:
    """The body of a refusal, in the form that this route gives it."""
    if "/v2" not in route:
        return str(problem(response, status, code))
    return error(response, status, code)


def authorization(value: str | None) -> list[tuple[bytes, bytes]]:
    return [] if value is None else [(b"Authorization", value.encode())]


@pytest.mark.parametrize(("route", "credentials"), matrix(PROTECTED, "POST /classify"))
def test_protected_routes(guarded: httpx.Client, issuer: Issuer, route: str, credentials: str) -> None:
    make, (status, code) = CREDENTIALS[credentials]
    value = make(issuer)
    response = ask(guarded, route, authorization(value))
    if status == 200:
        assert response.status_code == 200, response.text
        return
    body = refused(response, route, status, code)
    assert response.headers["www-authenticate"].startswith('Bearer realm="')
    assert ('error="insufficient_scope"' in response.headers["www-authenticate"]) == (status == 403)
    sent = (value or "").split()[-1:]
    assert not any(word in body for word in sent if len(word) > len("Bearer"))


@pytest.mark.parametrize(("route", "credentials"), matrix([*OPEN, *OPEN_FILES], "GET /health"))
def test_open_routes_ask_for_nothing(guarded: httpx.Client, issuer: Issuer, route: str, credentials: str) -> None:
    assert ask(guarded, route, authorization(CREDENTIALS[credentials][0](issuer))).status_code == 200


def test_no_route_is_forgotten(models_dir: Path) -> None:
    app = create_app(settings_for(models_dir))
    routes = list(iter_route_contexts(app.routes))
    found = {f"{method} {route.path}" for route in routes for method in (route.methods or {"*"}) - {"HEAD"}}
    files = {"GET /openapi.json", "* /web"}
    assert found == {*PROTECTED, *OPEN, *files}, "a new route belongs into the one list or the other"


@pytest.mark.parametrize(
    ("credentials", "found"),
    [
        ("none", "no key and no token"),
        ("wrong key", "an unknown API key"),
        ("expired", "a token that has expired"),
        ("wrong audience", "a token for another audience"),
        ("wrong issuer", "a token of another issuer"),
        ("an unknown key", "a token signed with a key that its issuer does not publish"),
        ("alg: none", "a token that cannot be verified"),
    ],
)
def test_the_refusal_says_what_is_the_matter(
    guarded: httpx.Client, issuer: Issuer, credentials: str, found: str
) -> None:
    response = ask(guarded, "GET /models", authorization(CREDENTIALS[credentials][0](issuer)))
    assert problem(response, *REFUSED)["found"] == found


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_head_needs_a_key_as_well(guarded: httpx.Client, method: str) -> None:
    assert guarded.request(method, "/models").status_code == 401
    assert guarded.request(method, "/models", headers=authorization(f"Bearer {OLD_KEY}")).status_code == 200


def test_two_authorization_headers_are_refused(guarded: httpx.Client) -> None:
    twice = authorization(f"Bearer {OLD_KEY}") * 2
    problem(ask(guarded, "GET /models", twice), *REFUSED)


@pytest.mark.parametrize("place", ["query", "cookie", "X-API-Key", "X-Forwarded-Authorization"])
def test_a_key_anywhere_else_opens_nothing(guarded: httpx.Client, place: str) -> None:
    query = {"access_token": OLD_KEY} if place == "query" else {}
    headers = {"Cookie": f"key={OLD_KEY}"} if place == "cookie" else {place: OLD_KEY} if place != "query" else {}
    problem(guarded.get("/models", params=query, headers=headers), *REFUSED)


def test_without_a_key_nothing_of_the_request_is_looked_at(guarded: httpx.Client) -> None:
    problem(guarded.post("/classify?model=none&nonsense=1", content=b"no picture"), *REFUSED)
    problem(guarded.get("/models/none/1/card"), *REFUSED)


def test_the_refusal_does_not_wait_for_the_body(guarded: httpx.Client) -> None:
    address = (guarded.base_url.host, guarded.base_url.port or 0)
    with socket.create_connection(address, timeout=5) as connection:
        connection.sendall(b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    ("credentials", "key_id"),
    [("none", "none"), ("wrong key", "none"), ("expired", "none"), ("good key", "pacs"), ("second key", "pacs")],
)
def test_the_log_says_who_asked(
    guarded: httpx.Client, issuer: Issuer, caplog: pytest.LogCaptureFixture, credentials: str, key_id: str
) -> None:
    with caplog.at_level(logging.INFO):
        response = ask(guarded, "GET /models", authorization(CREDENTIALS[credentials][0](issuer)))
        assert request_logged(caplog, response.headers["x-request-id"])["key_id"] == key_id
    assert OLD_KEY not in caplog.text


def test_the_log_says_a_tokens_subject_by_its_hash(
    guarded: httpx.Client, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    def logged(**claims: str) -> object:
        headers = authorization(f"Bearer {issuer.token(scope=SCOPE, **claims)}")
        return request_logged(caplog, ask(guarded, "GET /models", headers).headers["x-request-id"])["key_id"]

    with caplog.at_level(logging.INFO):
        first, again, other = logged(), logged(), logged(sub="john.doe@example.org")
    assert first == again
    assert first != other
    assert str(first).startswith("oidc:")
    assert "doe" not in caplog.text
