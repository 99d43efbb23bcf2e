"""Codes of what an ECG shows: SCP-ECG statements and PTB-XL's superclasses, and the four classes they amount to."""

from collections.abc import Collection

from trainer.classes import CLASS_NAMES

__all__ = ["ARRHYTHMIAS", "CLASS_STATEMENTS", "SUPERCLASSES", "TERRITORIES", "label_classes"]

SUPERCLASSES = ("NORM", "MI", "STTC", "CD", "HYP")
ARRHYTHMIAS = frozenset({"AFIB", "AFLT", "BIGU", "PACE", "PSVT", "PVC", "SVARR", "SVTAC", "TRIGU"})
TERRITORIES = {"AMI": "anterior", "IMI": "inferior", "LMI": "lateral"}
"""Walls of the heart by the code of their infarction."""

CLASS_STATEMENTS: dict[str, frozenset[str]] = {
    "abnormal_heartbeat": frozenset(),
    "history_of_mi": frozenset({"MI"}),
    "myocardial_infarction": frozenset({"MI"}),
    "normal": frozenset({"NORM"}),
}
"""What the class of a page says by itself; an abnormal heartbeat may be anything."""

_DOUBTFUL_NORMAL = frozenset({"PAC", "SBRAD", "STACH"})
_ABNORMAL, _OLD, _ACUTE, _NORMAL = CLASS_NAMES
_STAGES = {
    "Stadium I": (_ACUTE,),
    "Stadium I-II": (_ACUTE,),
    "Stadium II": (_ACUTE,),
    "Stadium II-III": (_OLD,),
    "Stadium III": (_OLD,),
}


def label_classes(statements: Collection[str], stage: str = "") -> tuple[str, ...]:
    """Give the classes that a recording may rightly be answered as; empty: it is not judged.

    An infarction follows PTB-XL's ``stage`` (`infarction_stadium1`): up to II acute, from II-III on old, otherwise
    either. Of the others, an arrhythmia is abnormal, NORM alone is normal, and anything else is abnormal. NORM with
    PAC, bradycardia or tachycardia is not judged: the data set of the pages draws that line elsewhere.
    """
    codes = frozenset(statements)
    if "MI" in codes:
        return _STAGES.get(stage, (_OLD, _ACUTE))
    if codes & ARRHYTHMIAS or "NORM" not in codes or codes & {"STTC", "CD", "HYP"}:
        return (_ABNORMAL,)
    return () if codes & _DOUBTFUL_NORMAL else (_NORMAL,)
