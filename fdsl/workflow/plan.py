"""Everything that the Snakefile asks: the files of each job, its order, its code, and where it
runs.

A job gets one JSON object, its *order*: all that decides what it computes. Where and how fast it
computes (threads, device, loader processes) is not part of the order, so moving to another machine
re-runs nothing.
"""

from fdsl.workflow.config import Config
from fdsl.workflow.files import Files
from fdsl.workflow.fingerprints import Codes
from fdsl.workflow.reports import Reports
from fdsl.workflow.resources import Machine
from fdsl.workflow.runs import Runs
from fdsl.workflow.sources import Sources
from fdsl.workflow.specs import Orders


class Plan:
    """What all jobs need to know, for a checked configuration."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.scale = config.user.scale
        self.runs = Runs(config)
        self.files = Files(config, self.runs)
        self.orders = Orders(config)
        self.reports = Reports(config, self.runs, self.files)
        self.codes = Codes(config, self.runs, self.reports)
        self.machine = Machine(config)
        self.sources = Sources(config)
