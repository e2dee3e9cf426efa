"""What a target will cost before anything is started: jobs, core-hours, GPU-hours, disk and memory,
each with its origin.
"""
