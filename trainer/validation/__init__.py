"""Validation of a bundle on labelled pages or recordings that it was not trained on."""
