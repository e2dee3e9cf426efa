"""Everything that a user or a maintainer writes in YAML, read strictly and checked against one another before any job exists."""

from fdsl.config.files import load, schemas
from fdsl.config.scale import Resources, Scale
from fdsl.config.user import ScaleName, UserConfig
from fdsl.config.whole import Config

__all__ = ["Config", "Resources", "Scale", "ScaleName", "UserConfig", "load", "schemas"]
