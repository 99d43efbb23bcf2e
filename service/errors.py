"""Status and code of every refusal, and the words of those about requests, models and callers.

A refusal says what was found, what was expected, and what to do. None repeats a file name, header, path, key, token or
claim of the client.
"""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from digitize.errors import UndigitizedPageError
from shared_preproc.errors import (
    UNSUITABLE_DIMENSIONS,
    NotAnEcgPageError,
    UndecodableImageError,
    UnreadableLeadsError,
    UnsuitableDimensionsError,
    UnsupportedFormatError,
)

_BEARER = 'Bearer realm="ecg-report-classifier"'


class StartupError(Exception):
    """The service cannot start until the operator acts on this message."""


class Kind(NamedTuple):
    """What refusals of one class share."""

    status: int
    code: str
    title: str


class ServiceError(Exception):
    """A refusal; arguments replace the words of the class."""

    kind: ClassVar[Kind]
    found: str
    expected: str
    remedy: str
    retry_after_s: int | None = None
    """Sent as Retry-After."""
    challenge: ClassVar[str | None] = None
    """Sent as WWW-Authenticate (RFC 6750, 3)."""

    def __init__(self, found: str | None = None, expected: str | None = None, remedy: str | None = None) -> None:
        self.found = self.found if found is None else found
        self.expected = self.expected if expected is None else expected
        self.remedy = self.remedy if remedy is None else remedy
        super().__init__(f"{self.found}; expected {self.expected}. {self.remedy}")


class UploadError(ServiceError):
    """The service cannot use the body."""


class BodyTooLargeError(UploadError):
    kind = Kind(413, "body_too_large", "The upload is too large")
    remedy = "Send one report page, as JPEG or with fewer pixels."

    def __init__(self, max_body_bytes: int) -> None:
        super().__init__(f"a body of more than {max_body_bytes} bytes", expected=f"at most {max_body_bytes} bytes")


class BodyTimeoutError(UploadError):
    kind = Kind(408, "body_timeout", "The upload took too long")
    found = "a body that was still incomplete when its time was up"
    remedy = "Check the connection and send the page again."

    def __init__(self, timeout_s: float) -> None:
        super().__init__(expected=f"the whole body within {timeout_s:g} s")


class IncompleteBodyError(UploadError):
    kind = Kind(400, "incomplete_body", "The upload is incomplete")
    found = "a connection that was closed before the end of the body"
    expected = "the whole body"
    remedy = "Send the page again."


class MalformedMultipartError(UploadError):
    kind = Kind(400, "malformed_multipart", "The form is malformed")
    expected = "multipart/form-data as in RFC 7578"
    remedy = "Let your HTTP library build the form and set its Content-Type, boundary included."


class UnexpectedPartsError(UploadError):
    kind = Kind(422, "unexpected_parts", "The form holds more than one file")
    expected = 'exactly one file, in the field "file"'
    remedy = "Send one page per request, and parameters in the query string."


class MalformedHttpError(UploadError):
    kind = Kind(400, "malformed_http", "The request is not valid HTTP")
    expected = "an HTTP/1.1 request as in RFC 9112"
    remedy = "Let an HTTP library build the request."


class MissingFileError(UploadError):
    kind = Kind(422, "missing_file", "There is no file in the request")
    expected = 'one file as the body, or as the part "file" of a multipart/form-data body'
    remedy = "Attach the report page."


class InvalidInferenceError(UploadError):
    kind = Kind(400, "invalid_inference", "The inference request is not valid")
    expected = 'one input "page", BYTES of the shape [pages] or [pages, 1], each a JPEG or PNG; base64 in JSON'
    remedy = "See GET /v2/models/{model} for the tensors, and the protocol for their form."


class ModelError(ServiceError):
    """The requested model cannot answer."""


class UnknownModelError(ModelError):
    kind = Kind(404, "unknown_model", "There is no such model")
    expected = "an alias, a name or name/version that GET /models lists"
    remedy = "Choose one of those, or leave out `model` to get the default."


class BrokenModelError(ModelError):
    kind = Kind(503, "broken_model", "This model cannot be served")


class ModelTooLargeError(ModelError):
    kind = Kind(503, "model_too_large", "This model does not fit")
    remedy = "Ask for another model. The operator can make this one the default model, which has no limit."

    def __init__(self, ref: str, model_bytes: int, budget_bytes: int) -> None:
        super().__init__(
            f"{ref}: a model of {model_bytes} bytes",
            expected=f"at most {budget_bytes} bytes for the models beside the default",
        )


class RegistryUnavailableError(ModelError):
    kind = Kind(503, "registry_unavailable", "The models cannot be read")
    expected = "a registry that can be read"
    remedy = "The operator should check the folder of models."


# The service.


class NotReadyError(ServiceError):
    kind = Kind(503, "not_ready", "The service is not ready")
    expected = "a service that is ready"
    remedy = "Try again in a few seconds."
    retry_after_s = 5


class OverloadedError(ServiceError):
    kind = Kind(503, "overloaded", "The service is busy")
    expected = "fewer requests at the same time"
    remedy = "Send the page again after the time in Retry-After."

    def __init__(self, found: str, retry_after_s: int) -> None:
        super().__init__(found)
        self.retry_after_s = retry_after_s


class DeadlineExceededError(ServiceError):
    kind = Kind(503, "deadline_exceeded", "There was no answer in time")
    expected = "an answer within that time"
    remedy = "Send the page again after the time in Retry-After, or allow more time."
    retry_after_s = 1

    def __init__(self, deadline_s: float) -> None:
        super().__init__(f"no answer after {deadline_s:g} s")


class ClientGoneError(ServiceError):
    kind = Kind(499, "client_gone", "The client closed the connection")
    found = "a connection that was closed before the answer"
    expected = "a client that waits for it"
    remedy = "Send the page again."


class AuditUnavailableError(ServiceError):
    kind = Kind(503, "audit_unavailable", "Answers cannot be recorded")
    found = "an audit that cannot be written"
    expected = "a record of each answer"
    remedy = "The operator finds the reason in the log."
    retry_after_s = 5


class IdempotencyConflictError(ServiceError):
    kind = Kind(422, "idempotency_conflict", "The Idempotency-Key belongs to another request")
    found = "an Idempotency-Key that came with another page or other parameters before"
    expected = "a key of its own for each request"
    remedy = "Make a new key for each page, and send it again only with the same page and parameters."


class InternalError(ServiceError):
    kind = Kind(500, "internal_error", "The service failed")
    found = "an unforeseen fault in the service"
    expected = "an answer"
    remedy = "Try again; if it stays, give the request_id to the operator."


# The address.


class NotFoundError(ServiceError):
    kind = Kind(404, "not_found", "There is nothing at this address")
    found = "a path that does not exist"
    expected = "a path that /docs lists"
    remedy = "Check the address."


class MethodNotAllowedError(ServiceError):
    kind = Kind(405, "method_not_allowed", "The method is not allowed here")
    found = "a method that this path does not take"
    remedy = "See /docs for what each path does."


class InvalidRequestError(ServiceError):
    kind = Kind(422, "invalid_request", "The request is not valid")
    expected = "the parameters that /docs lists"
    remedy = "Correct the query string or the header."


class FrameworkError(ServiceError):
    """The web framework refuses with a status that has no class here."""

    kind = Kind(400, "http_error", "The request is refused")
    expected = "a request as /docs describes it"
    remedy = "Correct the request."


# The caller.


class UntrustedHostError(ServiceError):
    kind = Kind(421, "untrusted_host", "The service is called by a name that is not its own")
    found = "a Host header that does not name this service"
    expected = "a name that this service is set up to be called by"
    remedy = "Use the service's own address, or ask the operator to add this name to ECG_TRUSTED_HOSTS."


class CrossSiteError(ServiceError):
    kind = Kind(403, "cross_site", "The request comes from another site")
    found = "a request that a page of another site made the browser send"
    expected = "a request of the service's own page, or of a program"
    remedy = "Open the service's own page, or send the request from a program."


class UnauthorizedError(ServiceError):
    kind = Kind(401, "unauthorized", "A valid key or token is needed")
    expected = "the header `Authorization: Bearer`, followed by a valid key or token"
    remedy = "Send your key, or a fresh token; the operator gives out keys."
    challenge = _BEARER


class ForbiddenError(ServiceError):
    kind = Kind(403, "forbidden", "The token does not suffice")
    found = "a valid token without the scope that this service asks for"
    remedy = "Ask for this scope when you get the token; the issuer has to grant it to you."
    challenge = f'{_BEARER}, error="insufficient_scope"'

    def __init__(self, required_scope: str) -> None:
        super().__init__(expected=f"a token with the scope {required_scope}")


class RateLimitedError(ServiceError):
    kind = Kind(429, "rate_limited", "Too many requests of one caller")
    found = "more requests than this caller may make"
    remedy = "Send the request again after the time in Retry-After."

    def __init__(self, per_minute: int, retry_after_s: int) -> None:
        super().__init__(expected=f"at most {per_minute} requests a minute")
        self.retry_after_s = retry_after_s


class IssuerUnavailableError(ServiceError):
    kind = Kind(503, "issuer_unavailable", "Tokens cannot be checked")
    found = "a token that cannot be checked, because the keys of its issuer cannot be fetched"
    expected = "an issuer that publishes its keys"
    remedy = "Try again after the time in Retry-After; if it stays, tell the operator."
    retry_after_s = 30


_FAMILIES = (ServiceError, UploadError, ModelError)

KINDS: Mapping[type[Exception], Kind] = {
    # `shared_preproc.errors` has the words of these.
    UnsupportedFormatError: Kind(415, "unsupported_format", "The file is of no kind that can be read"),
    UndecodableImageError: Kind(422, "undecodable_image", "The file is damaged or cut short"),
    UnsuitableDimensionsError: Kind(422, "unsuitable_dimensions", UNSUITABLE_DIMENSIONS),
    NotAnEcgPageError: Kind(422, "not_an_ecg_page", "The image is not an ECG report page in this layout"),
    UnreadableLeadsError: Kind(422, "unreadable_leads", "Leads of the page cannot be read"),
    UndigitizedPageError: Kind(422, "undigitized_page", "The page of another cart cannot be read with certainty"),
    **{error: error.kind for family in _FAMILIES for error in family.__subclasses__() if error not in _FAMILIES},
}
"""Every refusal that a client can get."""
