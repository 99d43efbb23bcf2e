"""HTTP in front of model bundles."""

__version__ = "0.1.0"
