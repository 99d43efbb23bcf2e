"""Classify whole archives of report pages: many runners, each page answered exactly once."""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read at NumPy's import; each runner has a CPU to itself
