"""What the classes of the published data set mean, in one line each."""

__all__ = ["CLASS_MEANINGS"]

CLASS_MEANINGS: dict[str, str] = {
    "abnormal_heartbeat": "This data set's pages that its cardiologists called abnormal: mostly fast heart rates.",
    "history_of_mi": "This data set's patients with a past infarction. From other carts: infarction, age uncertain.",
    "myocardial_infarction": (
        "This data set's patients with a present infarction. From other carts: infarction, age uncertain."
    ),
    "normal": "This data set's pages that its cardiologists called normal. Heart disease is not ruled out.",
}
"""By class name. A bundle with other classes has no line for them."""
