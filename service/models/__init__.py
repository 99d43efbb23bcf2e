"""Bundles as running models."""
