"""What the classes of the published data set mean, in a sentence or two each."""

__all__ = ["CLASS_MEANINGS"]

CLASS_MEANINGS: dict[str, str] = {
    "abnormal_heartbeat": (
        "This data set's label for pages that its cardiologists called abnormal; most of them show a fast heart rate."
    ),
    "history_of_mi": (
        "This data set's label for pages of patients with a past myocardial infarction. "
        "On pages from another cart or hospital, read it as infarction, age uncertain."
    ),
    "myocardial_infarction": (
        "This data set's label for pages of patients with a present myocardial infarction. "
        "On pages from another cart or hospital, read it as infarction, age uncertain."
    ),
    "normal": (
        "This data set's label for pages that its cardiologists called normal. It does not rule out heart disease."
    ),
}
"""By class name. A bundle with other classes has no sentence for them."""
