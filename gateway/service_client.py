"""The service, over HTTP."""

from http import HTTPStatus
from typing import Self

import httpx

from gateway.answer import Answer, Refusal, read_answer
from gateway.errors import RejectedError, UnreachableError
from gateway.instance import Instance

__all__ = ["ServiceClient"]

_FHIR, _HL7 = "application/fhir+json", "application/hl7-v2"
_TIMEOUT_S = 90.0  # the service answers within 60 s
_REFUSED_ECG = frozenset(
    [
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    ]
)
"""The ECG's own faults, but for `_OUR_FAULTS`. All other statuses may pass: the ECG is sent again."""
_OUR_FAULTS = frozenset(["idempotency_conflict", "invalid_request", "missing_file", "unexpected_parts"])


class ServiceClient:
    """A client of one service; ``key`` is its API key."""

    def __init__(self, url: str, key: str | None) -> None:
        headers = {"Content-Type": "application/dicom"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._http = httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_S, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def classify(self, instance: Instance, *, identified: bool = False) -> Answer | Refusal:
        """Ask for an answer about one object.

        Args:
            instance: What was received; the service gets every byte of it.
            identified: Whether the FHIR form of the answer is to name the patient.

        Raises:
            UnreachableError: the service does not answer, or is not set up for this gateway.
            RejectedError: the service fails at this one object.
        """
        response = self._post(instance, _FHIR, identified=identified)
        if response.status_code == HTTPStatus.OK:
            try:
                return read_answer(response.content)
            except (KeyError, IndexError, StopIteration, TypeError, ValueError) as error:
                raise RejectedError("the service answers in an unknown form: update gateway and service") from error
        problem = _problem(response)
        code = problem.get("code", "no problem document")
        if not problem or response.status_code not in _REFUSED_ECG or code in _OUR_FAULTS:
            raise _failure(response, code)
        return Refusal(problem["title"], problem["detail"], problem["remedy"])

    def hl7(self, instance: Instance) -> bytes:
        """Ask for the same answer as an HL7 message that names the patient.

        Raises:
            UnreachableError, RejectedError: as `classify`.
        """
        response = self._post(instance, _HL7, identified=True)
        if response.status_code != HTTPStatus.OK:
            raise _failure(response, _problem(response).get("code", "no problem document"))
        return response.content

    def _post(self, instance: Instance, media_type: str, *, identified: bool) -> httpx.Response:
        headers = {"Accept": media_type, "Idempotency-Key": instance.key}
        if identified:
            headers["X-Patient-ID"] = instance.header.PatientID
            if instance.order_number:
                headers["X-Order-Number"] = instance.order_number
        try:
            return self._http.post("/classify", content=instance.data, headers=headers)
        except httpx.HTTPError as error:
            raise UnreachableError(f"the service does not answer: {type(error).__name__}") from error


def _problem(response: httpx.Response) -> dict[str, str]:
    try:
        content = response.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _failure(response: httpx.Response, code: str) -> UnreachableError | RejectedError:
    status = response.status_code
    what = f"the service answers {status} {code}"
    if status == HTTPStatus.INTERNAL_SERVER_ERROR or code in _OUR_FAULTS:
        return RejectedError(what)
    after = response.headers.get("Retry-After", "")
    return UnreachableError(what, float(after) if after.isdigit() else None)
