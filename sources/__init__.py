"""Bytes as hospitals send them to a page image or a recording."""
