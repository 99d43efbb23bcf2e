"""One file for each kind of picture: read its header, check that it is whole, decode it to gray."""
