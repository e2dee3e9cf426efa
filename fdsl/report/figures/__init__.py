"""Figures of the studies: one module for each kind, with one function `write`."""
