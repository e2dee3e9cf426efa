"""Synthetic images: parameters, drawing, storage, export."""
