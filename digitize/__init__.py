"""ECG pages of any cart to signals: grid, flat page, ink, rows, names, layout, curves."""

from digitize.digitized import Digitized
from digitize.errors import UndigitizedPageError
from digitize.reading import digitize
from digitize.scale import StatedScale
from digitize.writers import to_csv, to_wfdb

__all__ = ["Digitized", "StatedScale", "UndigitizedPageError", "digitize", "to_csv", "to_wfdb"]
