"""What can stop a step. The command line prints the message and ends with status 1.

TrainerError
+-- DatasetError      the data folder or the table of groups is not what the trainer needs
+-- RunError          a run folder does not hold what a step needs, or a step's result is not good enough
"""

__all__ = ["DatasetError", "RunError", "TrainerError"]


class TrainerError(Exception):
    """A step that cannot be done; the message says what was wrong and what to do."""


class DatasetError(TrainerError):
    """The data folder, the table of groups or the folder of lead images is not usable."""


class RunError(TrainerError):
    """The run folder is not usable, or its network is not fit to publish."""
