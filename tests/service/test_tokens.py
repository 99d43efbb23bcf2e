"""Tokens: what tells one from a key, which hold, and that no text at all is answered but with a refusal."""

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Iterator

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from service.auth.oidc import IssuerKeys, Tokens, fetch_keys, looks_like_token
from service.errors import UnauthorizedError
from tests.service.issuer import AUDIENCE, Issuer, issuing

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=5,
)
HEADERS = st.fixed_dictionaries(
    {"alg": st.sampled_from(["RS256", "HS256", "none"]) | JSON_VALUES, "kid": st.just("rsa-1") | JSON_VALUES},
    optional=dict.fromkeys(("typ", "crit", "b64", "jwk", "jku", "x5c", "zip"), JSON_VALUES),
)
PARTS = st.binary(max_size=40) | JSON_VALUES.map(lambda value: json.dumps(value).encode())


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def tokens(issuer: Issuer) -> Tokens:
    published = fetch_keys(issuer.url)  # once, so that the examples below ask nobody
    keys = IssuerKeys(lambda: published)
    return Tokens(keys, issuer=issuer.url, audience=AUDIENCE, required_scope=None)


def refused(tokens: Tokens, token: str) -> None:
    with pytest.raises(UnauthorizedError):
        asyncio.run(tokens.caller_id(token))


def test_tokens_are_told_from_keys_by_their_form(issuer: Issuer) -> None:
    assert looks_like_token(issuer.token())
    assert not looks_like_token("ecg_" + "x" * 43)


def test_the_subject_is_named_as_the_documentation_says(issuer: Issuer, tokens: Tokens) -> None:
    by_hand = hashlib.sha256(f"{issuer.url} jane".encode()).hexdigest()[:16]
    assert asyncio.run(tokens.caller_id(issuer.token(sub="jane"))) == f"oidc:{by_hand}"


def test_elliptic_curve_signatures_are_accepted(issuer: Issuer, tokens: Tokens) -> None:
    token = issuer.token(key=issuer.ec, algorithm="ES256", headers={"kid": "ec-1"}, sub="jane")
    assert asyncio.run(tokens.caller_id(token)).startswith("oidc:")


def test_a_key_that_is_too_short_to_be_safe_signs_nothing(issuer: Issuer) -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - that is the point
    published = {"short": jwt.PyJWK({**RSAAlgorithm.to_jwk(short.public_key(), as_dict=True), "kid": "short"})}
    keys = IssuerKeys(lambda: published)
    tokens = Tokens(keys, issuer=issuer.url, audience=AUDIENCE, required_scope=None)
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = issuer.token(key=short, headers={"kid": "short"})
    refused(tokens, token)


def test_clocks_may_be_half_a_minute_apart(issuer: Issuer, tokens: Tokens) -> None:
    now = int(time.time())
    asyncio.run(tokens.caller_id(issuer.token(exp=now - 20, nbf=now + 20, iat=now + 20)))
    refused(tokens, issuer.token(exp=now - 40))


@given(header=HEADERS.map(lambda header: json.dumps(header).encode()) | PARTS, payload=PARTS, signature=PARTS)
def test_nothing_unsigned_is_answered_but_with_a_refusal(
    tokens: Tokens, header: bytes, payload: bytes, signature: bytes
) -> None:
    refused(tokens, ".".join(map(encoded, (header, payload, signature))))


@given(token=st.text(st.characters(max_codepoint=255)))
def test_no_text_at_all_is_answered_but_with_a_refusal(tokens: Tokens, token: str) -> None:
    refused(tokens, token)
