"""The checked configuration, and everything that Snakemake asks about its jobs."""
