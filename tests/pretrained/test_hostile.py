"""Checkpoints that are damaged, or made to harm who reads them: one clear error, little work."""

import io
import json
import os
import pickle
import struct
import time
import tracemalloc
import zipfile

import h5py
import msgpack
import numpy as np
import pytest
from pretrained.written import HAS_TORCH, needs_torch, write_orbax, write_safetensors, write_torch

from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.sources import open_source

if HAS_TORCH:
    import torch

FLOATS = np.arange(6, dtype=np.float32)
BYTES = FLOATS.tobytes()
F32 = {"dtype": "F32", "shape": [6], "data_offsets": [0, 24]}


def read_all(path):
    with open_source(path) as source:
        for name in source:
            source.read(name)


def refused(path, message):
    """What is said of a file, which takes no time and no memory to say."""
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises(CheckpointError, match=message) as caught:
            read_all(path)
        assert time.process_time() - start < 5
        assert tracemalloc.get_traced_memory()[1] < 50 << 20
    finally:
        tracemalloc.stop()
    assert os.path.basename(path) in str(caught.value)
    return caught.value


# --- safetensors ----------------------------------------------------------------------------


def framed(header, data=BYTES, length=None):
    content = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(content) if length is None else length) + content + data


def entry(**changes):
    return {"x": {**F32, **changes}}


SAFETENSORS = {
    "short": (b"\x05\0\0", "has 3 bytes, and a header takes more than 8"),
    "no header": (framed(b"{}", b"", length=3), "ends within its header: it has 10 bytes"),
    "oversized": (framed(b"{}", length=2**47), "has a header of 140,737,488,355,328 bytes; 100,0"),
    "no brace": (framed(b'[{"x":0}]'), "has a header that does not begin with '{'"),
    "no JSON": (framed(b'{"x":'), "is no JSON in its header: Expecting value"),
    "no UTF-8": (framed(b'{"\xff":0}'), "is not UTF-8 in its header; it is damaged"),
    "half a letter": (framed(b'{"\\ud800":0}'), "has half of a character in its header"),
    "half a letter within": (
        framed(b'{"__metadata__":{"format":"\\ud800"}}', b""),
        "has half of a character in its header; it is damaged",
    ),
    "deep": (framed(b'{"x":' + b"[" * 200_000), "is nested too deeply in its header"),
    "constant": (framed(b'{"x":NaN}'), "has NaN in its header, which is no JSON"),
    "long number": (
        framed(b'{"x":' + b"9" * 5000 + b"}"),
        "is no JSON in its header: Exceeds the limit",
    ),
    "twice": (framed(b'{"x":1,"x":2}'), "has 'x' twice in its header"),
    "twice within": (
        framed(b'{"x":{"dtype":"F32","dtype":"F16","shape":[],"data_offsets":[0,4]}}'),
        "has 'dtype' twice in its header",
    ),
    "text": (framed({"x": "F32"}), "tensor 'x' has no dtype, shape and data_offsets"),
    "more keys": (framed(entry(code=1)), "has no dtype, shape and data_offsets, and these alone"),
    "dtype": (framed(entry(dtype="F4")), "tensor 'x' has dtype 'F4'; those that can be read are B"),
    "dtype list": (framed(entry(dtype=[1])), r"has dtype \[1\]"),
    "wrong dtype": (framed(entry(dtype="F64")), r"takes 24 bytes, and float64\[6\] needs 48"),
    "shape": (framed(entry(shape=[7])), r"takes 24 bytes, and float32\[7\] needs 28"),
    "negative": (framed(entry(shape=[-6])), "has -6 in its shape; extents are integers of at lea"),
    "two negative": (framed(entry(shape=[-2, -3])), "has -2 in its shape"),
    "fraction": (framed(entry(shape=[6.0])), r"has 6\.0 in its shape"),
    "boolean": (framed(entry(shape=[True, 6])), "has True in its shape"),
    "overflow": (framed(entry(shape=[2**62, 4])), r"has a shape of more than 2\*\*63 values"),
    "wraps to 6": (framed(entry(shape=[2**63, 2, 6])), r"more than 2\*\*63 values"),
    "zero times much": (framed(entry(shape=[0, 2**62, 2**62])), r"more than 2\*\*63 values"),
    "axes": (framed(entry(shape=[1] * 65)), "has no list of at most 64 integers as its shape"),
    "offsets": (framed(entry(data_offsets=[24, 0])), r"has data_offsets \[24, 0\]; they are two"),
    "offsets below": (framed(entry(data_offsets=[-24, 0])), r"has data_offsets \[-24, 0\]"),
    "offset text": (framed(entry(data_offsets=["0", 24])), "has data_offsets"),
    "gap": (framed(entry(data_offsets=[4, 28])), "begins at byte 4 and leaves a gap before it"),
    "overlap": (framed({"x": F32, "y": F32}), "begins at byte 0 and overlaps the one before"),
    "cut off": (framed({"x": F32}, BYTES[:20]), "has 20 bytes of tensors, and a header"),
    "goes on": (framed({"x": F32}, BYTES + b"!"), "has 25 bytes of tensors.*damaged"),
    "metadata": (framed({"__metadata__": {"x": 1}}, b""), "has __metadata__ that are not texts"),
    "booleans": (framed(entry(dtype="BOOL"), b"\2" * 6), "takes 24 bytes, and bool"),
    "odd booleans": (
        framed(entry(dtype="BOOL", data_offsets=[0, 6]), b"\0\1\2\0\1\1"),
        "has booleans other than 0 and 1",
    ),
}


@pytest.mark.parametrize("case", SAFETENSORS)
def test_safetensors(case, tmp_path):
    content, message = SAFETENSORS[case]
    (tmp_path / "m.safetensors").write_bytes(content)
    refused(tmp_path / "m.safetensors", message)


def test_the_error_has_its_parts(tmp_path):
    (tmp_path / "m.safetensors").write_bytes(framed(entry(dtype="F64")))
    error = refused(tmp_path / "m.safetensors", "tensor 'x' takes")
    assert isinstance(error, ValueError)
    assert error.tensor == "x"
    assert error.file == str(tmp_path / "m.safetensors")
    assert error.reason == "takes 24 bytes, and float64[6] needs 48"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


# --- An index -------------------------------------------------------------------------------


def index_of(names):
    return json.dumps({"weight_map": names}).encode()


INDICES = {
    "no map": (b'{"x": 1}', "has no weight_map, which names the file of each tensor"),
    "empty": (index_of({}), "has no weight_map"),
    "no JSON": (b"{", "is no JSON in its index: Expecting"),
    "parent": (index_of({"x": "../../etc/passwd"}), "'../../etc/passwd', which is no name of a fi"),
    "absolute": (index_of({"x": "/etc/passwd"}), "'/etc/passwd', which is no name of a file in"),
    "backslash": (index_of({"x": "..\\a"}), "which is no name of a file"),
    "drive": (index_of({"x": "C:a"}), "which is no name of a file"),
    "nothing": (index_of({"x": ""}), "tensor 'x' is in '', which is no name of a file"),
    "dots": (index_of({"x": ".."}), "which is no name of a file"),
    "zero": (index_of({"x": "a\0b"}), "which is no name of a file"),
    "number": (index_of({"x": 3}), "is in 3, which is no name of a file"),
    "missing": (index_of({"x": "gone.safetensors"}), "names 'gone.safetensors', which is not be"),
    "itself": (index_of({"x": "m.index.json"}), "is of format index; indices are of safetensors"),
    "other format": (index_of({"x": "a.npz"}), "is of format npz; indices are of safetensors or"),
    "twice": (b'{"weight_map": {"x": "a", "x": "b"}}', "has 'x' twice in its index"),
    "not there": (
        index_of({"z": "a.safetensors"}),
        "'z' should be in 'a.safetensors', which has no",
    ),
    "elsewhere": (
        index_of({"x": "a.safetensors", "y": "a.safetensors", "z": "b.safetensors"}),
        "tensor 'x' is in 'b.safetensors', where the index does not have it",
    ),
}


@pytest.mark.parametrize("case", INDICES)
def test_index(case, tmp_path):
    content, message = INDICES[case]
    write_safetensors(tmp_path / "a.safetensors", {"x": FLOATS, "y": FLOATS})
    write_safetensors(tmp_path / "b.safetensors", {"x": FLOATS, "z": FLOATS})
    np.savez(tmp_path / "a.npz", x=FLOATS)
    (tmp_path / "m.index.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        open_source(tmp_path / "m.index.json")


def test_lists_that_are_too_long(tmp_path, monkeypatch):
    monkeypatch.setattr("jinit.pretrained.formats.sharded._LARGEST", 10)
    monkeypatch.setattr("jinit.pretrained.formats.orbax._LARGEST", 10)
    (tmp_path / "m.index.json").write_bytes(index_of({"x": "a"}))
    refused(tmp_path / "m.index.json", "has 26 bytes; an index may have 10")
    write_orbax(tmp_path / "m", {"x": FLOATS})
    refused(tmp_path / "m", "has a list of arrays of more than 10 bytes")


def test_shards_may_be_links_as_caches_have_them(tmp_path):
    (tmp_path / "blobs").mkdir()
    (tmp_path / "snapshot").mkdir()
    write_safetensors(tmp_path / "blobs" / "1234", {"x": FLOATS})
    (tmp_path / "snapshot" / "a.safetensors").symlink_to(tmp_path / "blobs" / "1234")
    (tmp_path / "snapshot" / "m.index.json").write_bytes(index_of({"x": "a.safetensors"}))
    with open_source(tmp_path / "snapshot" / "m.index.json") as source:
        assert np.array_equal(source.read("x"), FLOATS)


# --- Archives -------------------------------------------------------------------------------


def npy(value=FLOATS, **changes):
    """An array's file, with other fields in its header, or other bytes after it."""
    fields = {"descr": value.dtype.str, "fortran_order": False, "shape": value.shape, **changes}
    header = repr(fields).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + value.tobytes()


def archive(*members, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        for name, content in members:
            made.writestr(name, content)
    return file.getvalue()


def patched(content, old, new):
    assert content.count(old) >= 1
    return content.replace(old, new)


def bomb():
    """A member that claims to be a terabyte, of which its kilobyte of deflate cannot be."""
    small = archive(("x.npy", npy(np.zeros(1 << 18, np.float32))), method=zipfile.ZIP_DEFLATED)
    size = struct.pack("<I", (1 << 20) + len(npy(np.zeros(1 << 18, np.float32))) - (1 << 20))
    return patched(small, size, struct.pack("<I", 0xFFFFFFF0))


def overlapping():
    """Two names for one member's bytes."""
    content = archive(("x.npy", npy()), ("y.npy", npy()))
    second = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 1)
    offset = content.index(b"PK\x03\x04", 4)
    place = content.index(struct.pack("<I", offset), second)
    return content[:place] + struct.pack("<I", 0) + content[place + 4 :]


def npy_field(**changes):
    return archive(("x.npy", npy(**changes)))


OBJECTS = io.BytesIO()
np.save(OBJECTS, np.array([{}], dtype=object), allow_pickle=True)

ARCHIVES = {
    "objects": (archive(("x.npy", OBJECTS.getvalue())), r"'\|O': pickled objects, which are never"),
    "structured": (npy_field(descr=[("a", "<f4")]), r"has dtype \[\('a', '<f4'\)\]; those that"),
    "many fields": (npy_field(descr="f4,f4"), "has dtype 'f4,f4'"),
    "text": (npy_field(descr="<U4"), "has dtype '<U4'"),
    "float128": (npy_field(descr="<f16"), "has dtype '<f16'"),
    "8 bits": (npy_field(descr="|V1"), r"has dtype '\|V1': 8 bits of some kind"),
    "shape": (npy_field(shape=(7,)), r"takes 24 bytes, and float32\[7\] needs 28"),
    "negative": (npy_field(shape=(-6,)), "has -6 in its shape"),
    "overflow": (npy_field(shape=(2**62, 4)), r"has a shape of more than 2\*\*63"),
    "list": (npy_field(shape=[6]), "has a fortran_order or shape of the wrong type"),
    "order": (npy_field(fortran_order=1), "has a fortran_order or shape of the wrong type"),
    "field": (npy_field(more=1), "has a header without descr, fortran_order and shape"),
    "code": (npy_field(shape=print), "has a header that cannot be parsed"),
    "no array": (archive(("x.npy", b"hello")), "tensor 'x' is no .npy array"),
    "header": (archive(("x.npy", b"\x93NUMPY\x01\0\x00\x20")), "tensor 'x' ends within its header"),
    "long header": (archive(("x.npy", b"\x93NUMPY\x01\0\xff\xff")), "has a header of 65,535 bytes"),
    "version": (archive(("x.npy", b"\x93NUMPY\x09\0\x00\x00")), "is no .npy array"),
    "other member": (archive(("x.txt", "hi")), "has a member 'x.txt', which is no .npy array"),
    "absolute": (archive(("/etc/x.npy", npy())), "'/etc/x.npy', a path out of the archive"),
    "parent": (archive(("../x.npy", npy())), r"'\.\./x\.npy', a path out of the archive"),
    "checksum": (
        patched(archive(("x.npy", npy())), FLOATS.tobytes(), FLOATS[::-1].tobytes()),
        "tensor 'x' is a damaged zip archive: Bad CRC-32",
    ),
    "cut off": (archive(("x.npy", npy()))[:-30], "is a damaged zip archive"),
    "method": (archive(("x.npy", npy()), method=zipfile.ZIP_BZIP2), "neither stored nor deflated"),
    "lzma": (archive(("x.npy", npy()), method=zipfile.ZIP_LZMA), "neither stored nor deflated"),
    "overlap": (overlapping(), "has members 'x.npy' and 'y.npy' that overlap|[Oo]verlap"),
    "bomb": (bomb(), "claims to hold 4,294,967,280, more than deflate can"),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_npz(case, tmp_path):
    content, message = ARCHIVES[case]
    (tmp_path / "m.npz").write_bytes(content)
    refused(tmp_path / "m.npz", message)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_npz_with_a_name_twice(tmp_path):
    (tmp_path / "m.npz").write_bytes(archive(("x.npy", npy()), ("x.npy", npy(FLOATS + 1))))
    refused(tmp_path / "m.npz", "has two members called 'x.npy'")


def test_npy(tmp_path):
    (tmp_path / "m.npy").write_bytes(npy() + b"!")
    refused(tmp_path / "m.npy", r"takes 25 bytes, and float32\[6\] needs 24")
    (tmp_path / "n.npy").write_bytes(npy()[:40])
    refused(tmp_path / "n.npy", "has 40 bytes, and should have")


# --- msgpack --------------------------------------------------------------------------------


def packed(shape=(6,), dtype="float32", data=BYTES, kind=1):
    return msgpack.ExtType(kind, msgpack.packb((shape, dtype, data)))


def flax_file(**leaves):
    return msgpack.packb(leaves)


DEEP = b"\x81\xa1a" * 70 + b"\xc0"
CHUNKED = {"__msgpack_chunked_array__": True, "shape": {"0": 6}}

MSGPACK = {
    "shape": (flax_file(x=packed(shape=(7,))), r"has 24 bytes for float32\[7\]"),
    "negative": (flax_file(x=packed(shape=(-6,))), "has -6 in its shape"),
    "overflow": (flax_file(x=packed(shape=(2**62, 4))), r"more than 2\*\*63 values"),
    "fraction": (flax_file(x=packed(shape=(6.0,))), r"has 6\.0 in its shape"),
    "dtype": (flax_file(x=packed(dtype="object")), "has an array of dtype 'object', which is none"),
    "no dtype": (flax_file(x=packed(dtype="array")), "has an array of dtype 'array'"),
    "short": (flax_file(x=packed(data=b"")), r"has 0 bytes for float32\[6\]"),
    "booleans": (flax_file(x=packed(dtype="bool", data=b"\2" * 6)), "has booleans other than 0"),
    "extension": (flax_file(x=packed(kind=9)), "has an extension of type 9; Flax's are 1, 2 and 3"),
    "empty array": (flax_file(x=msgpack.ExtType(1, b"\x90")), "has an array without shape, dtype"),
    "cut off": (flax_file(x=packed())[:-3], "ends within an array; it is cut off"),
    "goes on": (flax_file(x=packed()) + b"\0", "goes on after its end, at byte"),
    "twice": (b"\x82\xa1x\x01\xa1x\x02", "has 'x' twice in one map"),
    "slash": (flax_file(**{"a": {"b": packed()}, "a/b": packed()}), "tensor 'a/b' is there twice"),
    "deep": (DEEP, "has over 1,000 nodes, or is over 64 deep"),
    "many": (b"\x81\xa1x\xdd\xff\xff\xff\xff" + b"\xc0" * 2000, "has over 1,000 nodes, or is"),
    "promises": (b"\xdf\xff\xff\xff\xff", "it is cut off or damaged"),
    "long name": (b"\x81\xdb\x7f\xff\xff\xff", "has a name that is no text, or too long"),
    "number as name": (b"\x81\x01\x01", "has a name that is no text"),
    "no UTF-8": (b"\x81\xa1\xff\x01", "has a text that is not UTF-8"),
    "no UTF-8 value": (b"\x81\xa1x\xa1\xff", "has a text that is not UTF-8"),
    "unused": (b"\x81\xa1x\xc1", "has 0xc1, which begins nothing, at byte 3"),
    "chunks": (
        flax_file(x={**CHUNKED, "chunks": {"0": 3}}),
        "is in chunks that are no flat arrays",
    ),
    "chunk sizes": (
        flax_file(x={**CHUNKED, "chunks": {"0": packed(), "1": packed()}}),
        r"is in chunks that do not make up float32\[6\]",
    ),
    "chunk names": (flax_file(x={**CHUNKED, "chunks": {"7": packed()}}), "no flat arrays"),
}


@pytest.mark.parametrize("case", MSGPACK)
def test_msgpack(case, tmp_path, monkeypatch):
    monkeypatch.setattr("jinit.pretrained.formats.packed._MOST_NODES", 1000)
    content, message = MSGPACK[case]
    (tmp_path / "m.msgpack").write_bytes(content)
    refused(tmp_path / "m.msgpack", message)


# --- HDF5 -----------------------------------------------------------------------------------


def external(file):
    file.create_dataset("x", (16,), "u1", external=[("/etc/passwd", 0, 16)])


def virtual(file):
    layout = h5py.VirtualLayout((6,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (6,))
    file.create_virtual_dataset("x", layout)


def linked(file):
    file["x"] = h5py.ExternalLink("other.h5", "/x")


def soft(file):
    file["x"] = h5py.SoftLink("/elsewhere")


def cyclic(file):
    file.create_group("a")["again"] = file["/"]


def huge(file):
    file.create_dataset("x", (1 << 40,), "f4", chunks=(1 << 10,))


def zipped_huge(file):
    file.create_dataset("x", (1 << 40,), "f4", chunks=(1 << 10,), compression="gzip")[:5] = 1


def scaled(file):
    file.create_dataset("x", data=np.arange(64), chunks=(8,), scaleoffset=0)


def empty(file):
    file["x"] = h5py.Empty("f4")


def nested(file):
    for _ in range(70):
        file = file.create_group("a")


HDF5 = {
    external: "tensor 'x' has its values in another file, which is not opened",
    virtual: "tensor 'x' has its values in another file, which is not opened",
    linked: "tensor 'x' is a link to another place, which is not followed",
    soft: "tensor 'x' is a link to another place, which is not followed",
    cyclic: "tensor 'a/again' is a group that holds itself",
    huge: r"tensor 'x' claims to be float32\[1099511627776\], and is stored in 0 bytes",
    zipped_huge: r"claims to be float32\[1099511627776\], and is stored in",
    scaled: r"tensor 'x' is compressed by filters \[6\]; use gzip, LZF or none",
    empty: "tensor 'x' has no shape",
    nested: "is nested more than 64 deep",
}


@pytest.mark.parametrize("make", HDF5)
def test_hdf5(make, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = FLOATS
    with h5py.File(tmp_path / "m.h5", "w") as file:
        make(file)
    refused(tmp_path / "m.h5", HDF5[make])


def test_hdf5_cut_off(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["x"] = np.zeros(1000)
    content = (tmp_path / "m.h5").read_bytes()
    (tmp_path / "m.h5").write_bytes(content[: len(content) // 2])
    refused(tmp_path / "m.h5", "is a damaged HDF5 file")


# --- Pickles and PyTorch --------------------------------------------------------------------


class Payload:
    """What runs code as it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_are_not_read(protocol, tmp_path):
    (tmp_path / "m.bin").write_bytes(pickle.dumps(Payload(tmp_path / "ran"), protocol))
    refused(tmp_path / "m.bin", "is a pickle, which can run any code as it is read, and is never")
    assert not (tmp_path / "ran").exists()


@needs_torch
@pytest.mark.parametrize("zipped", [True, False])
def test_torch_runs_no_code(zipped, tmp_path):
    state = {"w": torch.ones(2), "payload": Payload(tmp_path / "ran")}
    torch.save(state, tmp_path / "m.pt", _use_new_zipfile_serialization=zipped)
    refused(tmp_path / "m.pt", r"is not what torch\.load\(weights_only=True\) reads")
    assert not (tmp_path / "ran").exists()


TORCH = {
    "sparse": (lambda: torch.ones(3).to_sparse(), "tensor 'w' is sparse_coo; make it dense"),
    "meta": (
        lambda: torch.ones(3, device="meta"),
        "tensor 'w' has no values, being on the meta device",
    ),
    "repeated": (
        lambda: torch.ones(1).expand(1 << 40),
        r"made of 4 bytes, repeated; call",
    ),
    "complex32": (
        lambda: torch.ones(3, dtype=torch.complex32),
        r"has dtype torch\.complex32, which JAX",
    ),
}


@needs_torch
@pytest.mark.filterwarnings("ignore:ComplexHalf support")
@pytest.mark.parametrize("case", TORCH)
def test_tensors_that_are_not_read(case, tmp_path):
    tensor, message = TORCH[case]
    torch.save({"w": tensor()}, tmp_path / "m.pt")
    refused(tmp_path / "m.pt", message)


@needs_torch
def test_torch_cut_off_and_nested(tmp_path):
    write_torch(tmp_path / "m.pt", {"x": FLOATS})
    content = (tmp_path / "m.pt").read_bytes()
    (tmp_path / "m.pt").write_bytes(content[:-100])
    refused(tmp_path / "m.pt", "is a damaged zip archive")
    deep = torch.ones(1)
    for _ in range(70):
        deep = [deep]
    torch.save(deep, tmp_path / "n.pt")
    refused(tmp_path / "n.pt", "is nested more than 64 deep")
    torch.save({"a": {"b": torch.ones(1)}, "a/b": torch.ones(1)}, tmp_path / "o.pt")
    refused(tmp_path / "o.pt", "tensor 'a/b' is there twice")


# --- Orbax ----------------------------------------------------------------------------------


def rewritten(path, change):
    """A checkpoint with another list of arrays."""
    listed = json.loads((path / "_METADATA").read_text())
    change(listed)
    (path / "_METADATA").write_text(json.dumps(listed))


def without_keys(listed):
    del next(iter(listed["tree_metadata"].values()))["key_metadata"]


def renamed_to(*keys):
    def change(listed):
        listed["use_ocdbt"] = False
        value = next(iter(listed["tree_metadata"].values()))
        value["key_metadata"] = [{"key": key, "key_type": 2} for key in keys]

    return change


def with_a_slash(listed):
    value = {"key_metadata": [{"key": "a/x"}], "value_metadata": {"value_type": "np.ndarray"}}
    value["value_metadata"]["skip_deserialize"] = False
    listed["tree_metadata"]["again"] = value


ORBAX = {
    without_keys: "has an entry in its _METADATA that is damaged",
    with_a_slash: "tensor 'a/x' is there twice, once by a key with a slash",
    renamed_to("gone"): "tensor 'gone' is damaged, or not there",
    renamed_to("/etc"): "tensor '/etc' leads out of the checkpoint by its name",
    renamed_to("..", "x"): r"tensor '\.\./x' leads out of the checkpoint by its name",
    dict.clear: "has no tree_metadata in its _METADATA; it is damaged",
}


@pytest.mark.parametrize("change", ORBAX)
def test_orbax_with_another_list(change, tmp_path):
    write_orbax(tmp_path / "m", {"a": {"x": FLOATS}})
    rewritten(tmp_path / "m", change)
    refused(tmp_path / "m", ORBAX[change])


def test_orbax_without_its_files(tmp_path):
    write_orbax(tmp_path / "m", {"x": np.random.default_rng(0).random(4096), "y": FLOATS})
    files = sorted((tmp_path / "m").rglob("d/*"), key=lambda file: file.stat().st_size)
    files[-1].write_bytes(bytes(files[-1].stat().st_size))  # the values of "x"
    refused(tmp_path / "m", "tensor 'x' is damaged, or not there: .*Error reading")
    for file in files:
        file.unlink()
    refused(tmp_path / "m", "tensor 'x' is damaged, or not there")
    (tmp_path / "m" / "_METADATA").write_text("{")
    refused(tmp_path / "m", "is no JSON in its list of arrays")


def test_orbax_arrays_that_lack_a_part_are_not_zeros(tmp_path):
    write_orbax(tmp_path / "m", {"x": FLOATS}, use_ocdbt=False)
    with open_source(tmp_path / "m") as source:
        assert np.array_equal(source.read("x"), FLOATS)
    (tmp_path / "m" / "x" / "0").unlink()
    refused(tmp_path / "m", "tensor 'x' is damaged, or not there: .*missing")


# --- What is no checkpoint ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; it is of no known format, which are safetensors, npz, npy, msgpack, hd"),
        (b"hello", "begins with b'hello'; it is of no known format"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS in place of"),
        (b"<!DOCTYPE html><html>", "is a web page in place of the file; download the file itself"),
        (b"<HTML>", "is a web page in place of the file"),
        (b"\x1f\x8b\x08\0", "is compressed by gzip; unpack it first"),
        (b"GGUF\3\0\0\0", "is a GGUF file, which is not read"),
    ],
)
def test_other_files(content, message, tmp_path):
    (tmp_path / "model").write_bytes(content)
    refused(tmp_path / "model", message)


def test_pipes_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "is no regular file")
