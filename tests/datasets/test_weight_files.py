import subprocess
import sys

import pytest

from fdsl.datasets import weight_files
from fdsl.datasets.downstream import MissingData
from fdsl.schema.catalogue import PublishedWeights
from fdsl.schema.yaml_files import catalog, workflow_folder

RELEASED = catalog(workflow_folder(), "published_weights", PublishedWeights)


def test_all_missing_files_are_named_at_once_with_page_and_folder(tmp_path):
    with pytest.raises(MissingData) as caught:
        weight_files.require(RELEASED, tmp_path)
    for name, entry in RELEASED.items():
        for words in [name, entry.file, entry.page, entry.licence, str(tmp_path / "weights")]:
            assert words in str(caught.value)


def test_only_what_is_missing_is_named(tmp_path):
    (tmp_path / "weights").mkdir()
    here, gone = [RELEASED[name] for name in ("authors_rcdb21k", "authors_exfractaldb21k")]
    weight_files.file_of(here, tmp_path).write_bytes(b"")
    weight_files.require({"here": here}, tmp_path)
    with pytest.raises(MissingData, match=r"exfractal_21k_base\.pth\.tar") as caught:
        weight_files.require({"here": here, "gone": gone}, tmp_path)
    assert here.file not in str(caught.value)


def test_asking_needs_no_torch():
    code = "import sys, fdsl.datasets.weight_files; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
