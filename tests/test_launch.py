import pytest

from fdsl.launch import launcher


def test_one_process_needs_no_launcher():
    assert launcher(1) == "python -m fdsl"


def test_torchrun_starts_more():
    words = launcher(4).split()
    assert words[0] == "TORCH_ELASTIC_SHUTDOWN_TIMEOUT=600"
    assert words[1:4] == ["python", "-m", "torch.distributed.run"]
    assert words[4:] == ["--standalone", "--nproc-per-node", "4", "-m", "fdsl"]


@pytest.mark.parametrize("processes", [0, -1, 1025])
def test_other_numbers_are_refused(processes):
    with pytest.raises(ValueError, match=f"processes = {processes} is out of range: use 1 to 1024"):
        launcher(processes)
