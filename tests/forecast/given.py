"""Configurations and rates for the tests of forecasts."""

import resource

from workflow.configured import ROOT

from fdsl.forecast.forecast import with_images
from fdsl.forecast.published import Published
from fdsl.forecast.rates import Rates, read
from workflow import configured


def configuration(*, images=None, **changes):
    """Return the configuration with changes of config.yaml and of how images are kept."""
    config = configured.configuration(**changes)
    return config if images is None else with_images(config, images)


def shipped():
    """Return the rates that come with the project, and nothing of this machine."""
    return Rates(read(ROOT / "workflow" / "published" / "machine_rates.json"))


def published():
    return Published.read(ROOT / "workflow" / "published")


def children_s():
    """Return the processor time of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
