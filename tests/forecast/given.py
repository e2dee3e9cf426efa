"""Configurations and rates for the tests of forecasts."""

import resource
from pathlib import Path

import yaml

from fdsl.forecast.forecast import with_images
from fdsl.forecast.published import Published
from fdsl.forecast.rates import Rates, read
from fdsl.workflow import load as settings

ROOT = Path(__file__).parents[2]


def configuration(*, images=None, **changes):
    """Return the project's configuration with changes of config.yaml and of `images`."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    config = settings.load({**values, **changes})
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
