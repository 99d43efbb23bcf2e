"""Bundles, loaded and ready to answer."""
