"""The steps of the command line, one module for each kind; each step imports what it needs when it runs."""
