import json
import zipfile

import pytest

from fdsl.lineage.structure import CHECKS, fault


def whole(folder, suffix):
    """Return a whole small file of a format, made by the library that usually writes it where that
    is light.
    """
    path = folder / f"file{suffix}"
    if suffix == ".safetensors":
        header = json.dumps(
            {
                "__metadata__": {"a": "b"},
                "w": {"dtype": "U8", "shape": [50], "data_offsets": [0, 50]},
            }
        ).encode()
        path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(50))
    elif suffix in {".arrow", ".parquet"}:
        pa = pytest.importorskip("pyarrow")
        table = pa.table({"x": list(range(50))})
        if suffix == ".parquet":
            import pyarrow.parquet as pq

            pq.write_table(table, path)
        else:
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
                writer.write_table(table)
    elif suffix == ".png":
        from PIL import Image

        Image.new("L", (9, 9)).save(path)
    elif suffix == ".npz":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("images.npy", bytes(500))
    elif suffix == ".pdf":
        path.write_bytes(b"%PDF-1.4\n" + bytes(99) + b"\n%%EOF\n")
    else:
        path.write_text('{"a": 1}' + ("\n" if suffix == ".jsonl" else ""))
    return path


@pytest.mark.parametrize("suffix", CHECKS)
def test_a_whole_file_has_no_fault_and_a_truncated_one_has(tmp_path, suffix):
    path = whole(tmp_path, suffix)
    assert fault(path) is None
    content = path.read_bytes()
    lengths = (
        [0]
        if suffix in {".csv", ".html", ".md", ".tex"}
        else [0, len(content) // 2, len(content) - 2]
    )
    for length in lengths:
        path.write_bytes(content[:length])
        assert (length == 0 and suffix == ".jsonl") or fault(path), length


def test_a_header_that_claims_too_much_is_not_read(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes((2**62).to_bytes(8, "little") + b"{}")
    assert "header" in fault(path)


@pytest.mark.parametrize(
    "header", [b"[]", b'{"w": 3}', b'{"w": {"data_offsets": "x"}}', b"\xff", b"[" * 10**5]
)
def test_a_strange_header_is_a_fault_and_no_crash(tmp_path, header):
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"more")
    assert fault(path)


def test_nothing_is_said_of_unknown_formats(tmp_path):
    assert fault(tmp_path / "absent.xyz") is None


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path):
    assert "cannot be read" in fault(tmp_path / "absent.json")
