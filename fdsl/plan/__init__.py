"""Everything that the Snakefile asks: the files of each job, its order, its code, and where it runs.

A job gets one JSON object, its *order*: all that decides what it computes. Where and how fast it computes (threads, device,
loader processes) is not part of the order, so moving to another machine re-runs nothing.
"""

from fdsl.config import Config
from fdsl.plan.codes import Codes
from fdsl.plan.files import Files
from fdsl.plan.machine import Machine
from fdsl.plan.orders import Orders
from fdsl.plan.reports import Reports
from fdsl.plan.sources import Sources
from fdsl.runs import Runs


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
