"""Drawn pages of other carts, with their truth, and the name detector that is trained on them."""
