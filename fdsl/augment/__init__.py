"""Augmentation of images on their way to the network."""
