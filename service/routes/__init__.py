"""HTTP only: what comes in is handed to the plain parts of the service, what they say is sent."""
