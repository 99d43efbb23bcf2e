"""The HTTP service."""

import os

__version__ = "0.1.0"

# Read at the import of ONNX Runtime and of NumPy, whose threads would wait for CPUs that the workers keep busy.
os.environ["ORT_DISABLE_TELEMETRY"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
