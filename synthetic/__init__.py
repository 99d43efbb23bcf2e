"""Draw report pages of made-up hearts: recordings, the printed form, curves, JPEG."""
