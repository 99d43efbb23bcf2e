"""The thirteen leads of a report page, by name."""

from enum import StrEnum

__all__ = ["LEADS", "Lead"]


class Lead(StrEnum):
    """One recorded lead; the value is the name the world uses for it, spelled exactly so."""

    I = "I"  # noqa: E741 - the lead's name
    II = "II"
    III = "III"
    AVR = "aVR"
    AVL = "aVL"
    AVF = "aVF"
    V1 = "V1"
    V2 = "V2"
    V3 = "V3"
    V4 = "V4"
    V5 = "V5"
    V6 = "V6"
    RHYTHM_STRIP = "rhythm_strip"


LEADS: tuple[Lead, ...] = tuple(Lead)
"""All thirteen in clinical order: limb, augmented limb, precordial, rhythm strip. Answers use this order."""
