"""Report bytes to model input: the one preprocessing that training and serving share."""
