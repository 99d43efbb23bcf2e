"""HTTP in front of model bundles."""
