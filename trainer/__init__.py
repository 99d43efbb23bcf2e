"""The batch side: images on disk to a bundle in the registry."""
