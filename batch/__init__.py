"""Classify whole archives of report pages: many runners, each page answered exactly once."""
