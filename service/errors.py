"""What can go wrong between a request and its answer. No HTTP here: `service.problems` maps these to answers.

    StartupError                      the process must not start
    ServiceError
    +-- UploadError
    |   +-- BodyTooLargeError         more bytes than are accepted
    |   +-- BodyTimeoutError          the body did not arrive in time
    |   +-- IncompleteBodyError       the client closed the connection before its end
    |   +-- MalformedMultipartError   not the multipart/form-data that it says it is
    |   +-- UnexpectedPartsError      parts beside the one named "file"
    |   +-- MissingFileError          no file, or an empty one
    |   +-- InvalidInferenceError     not what the Open Inference Protocol wants
    +-- ModelError
    |   +-- UnknownModelError         no bundle or alias of that name
    |   +-- BrokenModelError          a bundle that is there but must not be served
    |   +-- ModelTooLargeError        a bundle beyond the memory that models may take
    |   +-- RegistryUnavailableError  the folder of bundles cannot be read
    +-- NotReadyError                 starting, draining, or without a default model
    +-- OverloadedError               the queue, or the room for bodies or models, is full
    +-- DeadlineExceededError         no answer in the time that the request has
    +-- ClientGoneError               the client closed the connection before its answer
    +-- AuditUnavailableError         what is answered could not be recorded
    +-- IdempotencyConflictError      another request had the same Idempotency-Key
    +-- AccessError                   the caller may not: service.auth.errors

Messages hold no file name, header or path of the sender's.
"""

__all__ = [
    "AuditUnavailableError",
    "BodyTimeoutError",
    "BodyTooLargeError",
    "BrokenModelError",
    "ClientGoneError",
    "DeadlineExceededError",
    "IdempotencyConflictError",
    "IncompleteBodyError",
    "InvalidInferenceError",
    "MalformedMultipartError",
    "MissingFileError",
    "ModelError",
    "ModelTooLargeError",
    "NotReadyError",
    "OverloadedError",
    "RegistryUnavailableError",
    "ServiceError",
    "StartupError",
    "UnexpectedPartsError",
    "UnknownModelError",
    "UploadError",
]


class StartupError(Exception):
    """Something that an operator has to put right before the service can run."""


class ServiceError(Exception):
    """A request that is answered with a problem.

    ``found`` says what came or what is the matter, ``expected`` what would have been accepted, ``remedy`` what the
    reader can do: as in `shared_preproc.errors.PreprocError`.
    """

    retry_after_s: int | None = None
    """When the same request may be answered; ``None``: what holds for all refusals of its kind."""

    def __init__(self, *, found: str, expected: str, remedy: str) -> None:
        super().__init__(f"{found}; expected {expected}. {remedy}")
        self.found = found
        self.expected = expected
        self.remedy = remedy


class UploadError(ServiceError):
    """The body of the request cannot be used."""


class BodyTooLargeError(UploadError):
    """The body has, or announces, more bytes than are accepted."""

    def __init__(self, max_body_bytes: int) -> None:
        super().__init__(
            found=f"a body of more than {max_body_bytes} bytes",
            expected=f"at most {max_body_bytes} bytes",
            remedy="Send one report page, as JPEG or with fewer pixels.",
        )


class BodyTimeoutError(UploadError):
    """The body did not arrive in time."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__(
            found="a body that was still incomplete when its time was up",
            expected=f"the whole body within {timeout_s:g} s",
            remedy="Check the connection and send the page again.",
        )


class IncompleteBodyError(UploadError):
    """The client closed the connection before the end of its body."""

    def __init__(self) -> None:
        super().__init__(
            found="a connection that was closed before the end of the body",
            expected="the whole body",
            remedy="Send the page again.",
        )


class MalformedMultipartError(UploadError):
    """The body is not what its content type says."""

    def __init__(self, found: str) -> None:
        super().__init__(
            found=found,
            expected="multipart/form-data as in RFC 7578",
            remedy="Let your HTTP library build the form and set its Content-Type, boundary included.",
        )


class UnexpectedPartsError(UploadError):
    """The form has parts beside the one file."""

    def __init__(self, found: str) -> None:
        super().__init__(
            found=found,
            expected='exactly one file, in the field "file"',
            remedy="Send one page per request, and parameters in the query string.",
        )


class MalformedHttpError(UploadError):
    """The bytes are no HTTP request, or one with far too many pieces."""

    def __init__(self, found: str) -> None:
        super().__init__(
            found=found,
            expected="an HTTP/1.1 request as in RFC 9112",
            remedy="Let an HTTP library build the request.",
        )


class MissingFileError(UploadError):
    """There is no page in the request."""

    def __init__(self, found: str) -> None:
        super().__init__(
            found=found,
            expected='one file as the body, or as the part "file" of a multipart/form-data body',
            remedy="Attach the report page.",
        )


class InvalidInferenceError(UploadError):
    """The request is not what the Open Inference Protocol, or the service's one input, wants."""

    def __init__(self, found: str) -> None:
        super().__init__(
            found=found,
            expected='one input "page", BYTES of the shape [pages] or [pages, 1], each a JPEG or PNG; base64 in JSON',
            remedy="See GET /v2/models/{model} for the tensors, and the protocol for their form.",
        )


class ModelError(ServiceError):
    """The model that was asked for cannot answer."""


class UnknownModelError(ModelError):
    """There is no bundle or alias of that name."""


class BrokenModelError(ModelError):
    """The bundle exists but must not, or cannot, be served."""


class ModelTooLargeError(ModelError):
    """The bundle alone is larger than all models beside the default may be."""

    def __init__(self, ref: str, model_bytes: int, budget_bytes: int) -> None:
        super().__init__(
            found=f"{ref}: a model of {model_bytes} bytes",
            expected=f"at most {budget_bytes} bytes for the models beside the default",
            remedy="Ask for another model. The operator can make this one the default model, which has no limit.",
        )


class RegistryUnavailableError(ModelError):
    """The folder of bundles, or its aliases, cannot be read."""


class NotReadyError(ServiceError):
    """The service does not answer yet, or no longer."""

    def __init__(self, reason: str, *, remedy: str = "Try again in a few seconds.") -> None:
        super().__init__(found=reason, expected="a service that is ready", remedy=remedy)


class OverloadedError(ServiceError):
    """The queue, or the room for request bodies or models, is full."""

    def __init__(self, found: str, retry_after_s: int) -> None:
        super().__init__(
            found=found,
            expected="fewer requests at the same time",
            remedy="Send the page again after the time in Retry-After.",
        )
        self.retry_after_s = retry_after_s


class DeadlineExceededError(ServiceError):
    """There was no answer in the time that the request has."""

    def __init__(self, deadline_s: float) -> None:
        super().__init__(
            found=f"no answer after {deadline_s:g} s",
            expected="an answer within that time",
            remedy="Send the page again after the time in Retry-After, or allow more time.",
        )


class ClientGoneError(ServiceError):
    """The client closed the connection before its answer."""

    def __init__(self) -> None:
        super().__init__(
            found="a connection that was closed before the answer",
            expected="a client that waits for it",
            remedy="Send the page again.",
        )


class AuditUnavailableError(ServiceError):
    """What is answered could not be recorded, and has to be."""

    def __init__(self) -> None:
        super().__init__(
            found="an audit that cannot be written",
            expected="a record of each answer",
            remedy="The operator finds the reason in the log.",
        )


class IdempotencyConflictError(ServiceError):
    """The same Idempotency-Key came with another request before."""

    def __init__(self) -> None:
        super().__init__(
            found="an Idempotency-Key that came with another page or other parameters before",
            expected="a key of its own for each request",
            remedy="Make a new key for each page, and send it again only with the same page and parameters.",
        )
