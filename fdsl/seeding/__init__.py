"""The tree of seeds: the only source of randomness."""
