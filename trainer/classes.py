"""The four classes: what the API calls them, and which folders of the data set stand for them."""

import re

__all__ = ["CLASS_FOLDERS", "CLASS_NAMES", "class_of_folder"]

CLASS_FOLDERS: dict[str, str] = {
    "Abnormal": "abnormal_heartbeat",
    "Histroy_MI": "history_of_mi",  # spelled so in the data set
    "MI": "myocardial_infarction",
    "Normal": "normal",
}
"""Short folder name, which also begins the names of the published files, to class name."""

CLASS_NAMES: tuple[str, ...] = tuple(CLASS_FOLDERS.values())
"""In the order of the models' last axis."""

_PUBLISHED_FOLDERS = {
    "ECG Images of Patient that have abnormal heartbeat": "abnormal_heartbeat",
    "ECG Images of Patient that have History of MI": "history_of_mi",
    "ECG Images of Myocardial Infarction Patients": "myocardial_infarction",
    "Normal Person ECG Images": "normal",
}
"""As Mendeley Data names them, without the count in brackets at the end."""


def class_of_folder(name: str) -> str | None:
    """Give the class that a folder of this name stands for; None where it stands for none.

    The data set's short and published names and the classes' own names count, in any case, with or without a count in
    brackets, with blanks or underscores.
    """
    return _BY_NAME.get(_plain(name))


def _plain(name: str) -> str:
    return re.sub(r"[\s_]+", " ", re.sub(r"\([^()]*\)\s*$", "", name)).strip().casefold()


_BY_NAME = {
    _plain(folder): class_name
    for folder, class_name in [
        *CLASS_FOLDERS.items(),
        *_PUBLISHED_FOLDERS.items(),
        *((name, name) for name in CLASS_NAMES),
        ("History_MI", "history_of_mi"),
    ]
}
