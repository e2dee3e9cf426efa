"""Which augmentations can stand in for instances where."""

import pytest

from fdsl.formulas.ofdb import require_possible
from fdsl.schema import yaml_files
from fdsl.schema.base import ConfigError
from fdsl.schema.catalogue import SyntheticDataset

ALL = ("ifs", "pattern", "rotation", "texture")
ENTRIES = yaml_files.catalog(yaml_files.workflow_folder(), "synthetic", SyntheticDataset)


def ask(name, names, *, streamed=True, **settings):
    entry = ENTRIES[name]
    entry = entry.model_copy(update={"settings": {**entry.settings, **settings}})
    require_possible(names, entry, streamed=streamed, where="here")


@pytest.mark.parametrize("name", ["ofdb2d_1k", "ofdb2d_21k", "ofdb3d_1k", "ofdb3d_21k"])
def test_ofdb_can_have_all_of_them(name):
    ask(name, ALL)
    ask(name, ALL, weighted=True, instance_row=0)
    ask(name, ("rotation", "texture"), streamed=False)


@pytest.mark.parametrize("name", ENTRIES)
def test_every_dataset_can_have_none(name):
    ask(name, (), streamed=False)


@pytest.mark.parametrize("names", [("texture",), ALL])
@pytest.mark.parametrize("name", ["rcdb1k", "visualatom1k", "one_parameter", "perlin100"])
def test_other_formulas_are_refused(name, names):
    with pytest.raises(
        ConfigError, match=r"here: .* it is for fractaldb and exfractaldb\. Use \[\]"
    ):
        ask(name, names)


@pytest.mark.parametrize("names", [("ifs",), ("pattern", "texture")])
def test_what_draws_images_anew_needs_them_streamed(names):
    with pytest.raises(ConfigError, match=r"but images are stored\. Use images: stream"):
        ask("ofdb2d_1k", names, streamed=False)


@pytest.mark.parametrize("name", ["fractaldb1k", "exfractaldb1k"])
def test_fluctuations_of_instances_that_vary_already_are_refused(name):
    with pytest.raises(ConfigError, match=r"so do the instances of .* Set weighted: false"):
        ask(name, ("ifs",))
    ask(name, ("pattern", "rotation", "texture"))


def test_faulty_settings_are_named():
    with pytest.raises(ConfigError, match=r"here: settings.*pionts"):
        ask("ofdb2d_1k", ("ifs",), pionts=3)


def test_real_pictures_can_have_none():
    require_possible((), None, streamed=False, where="here")
    with pytest.raises(ConfigError, match="cannot be used on real images"):
        require_possible(("texture",), None, streamed=False, where="here")
