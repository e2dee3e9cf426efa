"""The cost of a target before it runs: jobs, core-hours, GPU-hours, disk and memory."""
