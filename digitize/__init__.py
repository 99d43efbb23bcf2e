"""ECG pages of any cart to signals: grid, flat page, ink, rows, names, layout, curves."""
