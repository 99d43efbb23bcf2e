"""The four classes: how the published data set names its folders, and what the API calls them."""

__all__ = ["CLASS_FOLDERS", "CLASS_NAMES"]

CLASS_FOLDERS: dict[str, str] = {
    "Abnormal": "abnormal_heartbeat",
    "Histroy_MI": "history_of_mi",  # spelled so in the data set
    "MI": "myocardial_infarction",
    "Normal": "normal",
}
"""Class folder to class name."""

CLASS_NAMES: tuple[str, ...] = tuple(CLASS_FOLDERS.values())
"""In the order of the models' last axis."""
