import pytest
import torch

from fdsl.train import Devices
from fdsl.train.distributed import (
    Rank,
    choose_device,
    first_host,
    loaders,
    processes,
    rank,
    rendezvous,
    threads_each,
)


def test_without_a_launcher_a_process_is_alone():
    assert rank({}) == Rank(0, 1, 0)


def test_torchrun_and_srun_are_understood():
    torchrun = {"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "SLURM_STEP_NUM_TASKS": "2"}
    assert rank(torchrun) == Rank(3, 8, 1)
    srun = {"SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "6", "SLURM_LOCALID": "2"}
    assert rank(srun) == Rank(5, 6, 2)


def test_a_batch_script_is_alone_whatever_its_job_has():
    batch = {"SLURM_PROCID": "0", "SLURM_NTASKS": "8", "SLURM_LOCALID": "0"}
    assert rank(batch) == Rank()
    assert rank(batch | {"SLURM_STEP_NUM_TASKS": "1"}) == Rank()


def test_half_a_launcher_is_an_error():
    with pytest.raises(ValueError, match="WORLD_SIZE = 2, but RANK, LOCAL_RANK is not set"):
        rank({"WORLD_SIZE": "2"})


@pytest.mark.parametrize(
    ("nodelist", "host"),
    [
        ("gpu1", "gpu1"),
        ("gpu1,gpu2", "gpu1"),
        ("gpu[03-06,9],login1", "gpu03"),
        ("n[7]", "n7"),
        ("a[1-2].site.org", "a1.site.org"),
    ],
)
def test_first_host_of_a_slurm_list(nodelist, host):
    assert first_host(nodelist) == host


def test_rendezvous_comes_from_the_launcher_or_the_job():
    given = {"MASTER_ADDR": "here", "MASTER_PORT": "1234"}
    assert rendezvous(given) == given
    job = {"SLURM_STEP_NODELIST": "gpu[3-4]", "SLURM_JOB_ID": "81234"}
    assert rendezvous(job) == {"MASTER_ADDR": "gpu3", "MASTER_PORT": "21234"}
    with pytest.raises(ValueError, match="torchrun or srun"):
        rendezvous({})


def test_asking_for_a_gpu_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match="device = cuda, but torch sees no GPU"):
        choose_device("cuda", local_rank=0)
    assert choose_device("auto", local_rank=0) == torch.device("cpu")


def test_each_process_of_a_host_gets_its_own_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    assert choose_device("auto", local_rank=1) == torch.device("cuda", 1)
    with pytest.raises(ValueError, match="process 2 of this host has no GPU: torch sees 2"):
        choose_device("cuda", local_rank=2)


@pytest.mark.parametrize(("processes", "each"), [("1", 5), ("2", 2), ("9", 1)])
def test_the_processes_of_a_host_share_its_threads(processes, each):
    assert threads_each(5, {"LOCAL_WORLD_SIZE": processes}) == each
    assert threads_each(5, {}) == 5


@pytest.mark.parametrize(
    ("wanted", "device", "expected"),
    [(None, "cpu", 0), (None, "cuda", 6), (0, "cuda", 0), (3, "cpu", 3)],
)
def test_images_are_prepared_beside_a_gpu_unless_the_user_says_otherwise(
    monkeypatch, wanted, device, expected
):
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    devices = Devices(loader_workers=wanted, threads=6)
    assert loaders(devices, device=torch.device(device)) == expected


def test_threads_and_determinism_are_set_for_the_block():
    with processes(Devices(device="cpu", threads=1, deterministic=True)) as here:
        assert (here.rank, here.world, here.leads) == (0, 1, True)
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()
