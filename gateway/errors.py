"""What can go wrong between an ECG that arrives and a result that is delivered.

Messages hold no name, id, path or value of a DICOM attribute: they go to the log.
"""

__all__ = ["DeliveryError", "NoEcgError", "RejectedError", "StartupError", "UnreachableError", "UnusableInstanceError"]


class StartupError(Exception):
    """Something that an operator has to put right before the gateway can run."""


class UnusableInstanceError(Exception):
    """A DICOM object from which no result could be written into its study."""


class NoEcgError(UnusableInstanceError):
    """A DICOM object of a kind that holds no ECG."""


class DeliveryError(Exception):
    """A peer did not take or answer something; the spool keeps it."""

    def __init__(self, what: str, retry_after_s: float | None = None) -> None:
        super().__init__(what)
        self.retry_after_s = retry_after_s


class UnreachableError(DeliveryError):
    """The peer takes nothing at the moment: everything for it waits."""


class RejectedError(DeliveryError):
    """The peer refuses this one thing: it waits, the rest goes on."""
