"""Why a request is turned away before anything is done for it. No HTTP here: `service.problems` maps these to answers.

    ServiceError
    +-- AccessError
        +-- UntrustedHostError      addressed by a name that is not this service's
        +-- CrossSiteError          posted by a page of another site
        +-- UnauthorizedError       no key or token, or one that does not hold
        +-- ForbiddenError          a token that holds, without the scope that is asked for
        +-- RateLimitedError        one caller's requests come too fast
        +-- IssuerUnavailableError  tokens cannot be checked: their issuer's keys cannot be fetched

Messages hold nothing of what the sender sent: neither a key nor a token nor a claim of it.
"""

from service.errors import ServiceError

__all__ = [
    "AccessError",
    "CrossSiteError",
    "ForbiddenError",
    "IssuerUnavailableError",
    "RateLimitedError",
    "UnauthorizedError",
    "UntrustedHostError",
]


class AccessError(ServiceError):
    """The caller may not use the service, or not now."""


class UntrustedHostError(AccessError):
    """The Host header names another service."""

    def __init__(self) -> None:
        super().__init__(
            found="a Host header that does not name this service",
            expected="a name that this service is set up to be called by",
            remedy="Use the service's own address, or ask the operator to add this name to ECG_TRUSTED_HOSTS.",
        )


class CrossSiteError(AccessError):
    """A page of another site makes the browser post to this service."""

    def __init__(self) -> None:
        super().__init__(
            found="a request that a page of another site made the browser send",
            expected="a request of the service's own page, or of a program",
            remedy="Open the service's own page, or send the request from a program.",
        )


class UnauthorizedError(AccessError):
    """Nothing, or nothing valid, says who asks."""

    def __init__(self, found: str) -> None:
        super().__init__(
            found=found,
            expected="the header `Authorization: Bearer`, followed by a valid key or token",
            remedy="Send your key, or a fresh token; the operator gives out keys.",
        )


class ForbiddenError(AccessError):
    """It is known who asks, and this caller may not."""

    def __init__(self, required_scope: str) -> None:
        super().__init__(
            found="a valid token without the scope that this service asks for",
            expected=f"a token with the scope {required_scope}",
            remedy="Ask for this scope when you get the token; the issuer has to grant it to you.",
        )


class RateLimitedError(AccessError):
    """This caller has used up its requests."""

    def __init__(self, per_minute: int, retry_after_s: int) -> None:
        super().__init__(
            found="more requests than this caller may make",
            expected=f"at most {per_minute} requests a minute",
            remedy="Send the request again after the time in Retry-After.",
        )
        self.retry_after_s = retry_after_s


class IssuerUnavailableError(AccessError):
    """No token can be checked for now."""

    def __init__(self) -> None:
        super().__init__(
            found="a token that cannot be checked, because the keys of its issuer cannot be fetched",
            expected="an issuer that publishes its keys",
            remedy="Try again after the time in Retry-After; if it stays, tell the operator.",
        )
