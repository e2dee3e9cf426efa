"""Provenance of results: verification, the chain behind a number, crates."""
