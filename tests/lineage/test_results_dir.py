import pytest

from fdsl.lineage.results_dir import ResultsDir, is_record


def test_names_and_files_belong_together(tmp_path):
    results = ResultsDir(tmp_path / "elsewhere")
    path = results.find("results/laptop/a.json")
    assert path == tmp_path / "elsewhere/laptop/a.json"
    assert results.name(path) == "results/laptop/a.json"
    assert results.find("workflow/published/tables.csv").is_file()


@pytest.mark.parametrize(
    "name", ["../a", "results/../../a", "/etc/hostname", "results", "weights.pth.tar", ""]
)
def test_no_name_leads_elsewhere(tmp_path, name):
    assert ResultsDir(tmp_path).find(name) is None


def test_the_results_folder_is_found_above_a_file(tmp_path):
    assert ResultsDir.around(tmp_path / "results/tables/a.csv").path == tmp_path / "results"
    with pytest.raises(ValueError, match="in no folder called results"):
        ResultsDir.around(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("results/a/model.safetensors", "results/a/record.json"),
        ("results/a/record.json", "results/a/record.json"),
        ("results/t/table.csv", "results/t/table.record.json"),
        ("results/t/other.csv", None),
    ],
)
def test_a_file_has_the_record_beside_it_or_in_its_folder(tmp_path, name, record):
    for path in ["a/record.json", "t/table.record.json"]:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("{}")
    assert ResultsDir(tmp_path).record_of(name) == record


def test_records_are_known_by_their_names():
    assert is_record("a/record.json")
    assert is_record("a/b.record.json")
    assert not is_record("a/b.json")
    assert not is_record("a/myrecord.json")
