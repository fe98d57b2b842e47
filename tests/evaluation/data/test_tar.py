"""Images in tar files: read where they lie, as the unpacked folder, and no damage goes unseen."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import lzma
import os
import tarfile
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micronet.errors import MicronetError
from micronet.evaluation.data.classes import class_list
from micronet.evaluation.data.open import open_dataset
from micronet.evaluation.data.tar_members import read_archive

if TYPE_CHECKING:
    from pathlib import Path

    from tests.evaluation.data.conftest import Pack, Plant


def labels(path: Path, **options: Any) -> dict[str, int]:
    return {example.name: example.label for example in open_dataset(path, **options).examples}


# --- webdataset shards


def test_a_shard_has_its_labels_inside(pack: Pack) -> None:
    path = pack("a.tar", {"1.jpg": b"one", "1.cls": b"3", "0.JPEG": b"zero", "0.cls": b" 0\n"})
    found = open_dataset(path)
    assert [(e.name, e.label, e.size_bytes) for e in found.examples] == [
        ("0.JPEG", 0, 4),
        ("1.jpg", 3, 3),
    ]
    assert [found.read(0), found.read(1)] == [b"zero", b"one"]
    assert (found.kind, found.name, found.root) == ("tar-shards", "a", path)
    assert found.classes == ("0", "1", "2", "3")
    told = "Labels are numbers without names: 4 classes are taken, up to the highest."
    assert found.notes == (told,)


def test_a_folder_of_shards_is_one_data_set_in_which_keys_may_begin_anew(pack: Pack) -> None:
    for shard, label in (("s/b-1.tar", b"1"), ("s/b-0.tar", b"0")):
        pack(shard, {"d/x.jpg": shard.encode(), "d/x.cls": label})
    root = pack("s/b-2.tar", {"x.png": b"2", "x.cls": b"2"}).parent
    found = open_dataset(root)
    assert {example.name: example.label for example in found.examples} == {
        "b-0.tar/d/x.jpg": 0,
        "b-1.tar/d/x.jpg": 1,
        "b-2.tar/x.png": 2,
    }
    assert [found.read(index) for index in range(3)] == [b"s/b-0.tar", b"s/b-1.tar", b"2"]


def test_json_may_hold_the_label_and_the_rest_is_left(pack: Pack) -> None:
    path = pack(
        "a.tar",
        {
            "0.jpg": b"",
            "0.json": json.dumps({"label": 5, "caption": "x"}).encode(),
            "1.seg.png": b"a mask, not the image: the suffix begins at the first dot",
            "1.jpg": b"",
            "1.cls": b"6",
            "1.json": b"not even JSON, and not needed",
            "2.cls": b"7",
            "about.json": b"{",
        },
    )
    assert labels(path) == {"0.jpg": 5, "1.jpg": 6}
    assert "Left out: 1 label without image: 2." in open_dataset(path).notes


def test_validation_names_are_imagenets_whatever_the_labels(pack: Pack) -> None:
    path = pack(
        "a.tar", {"ILSVRC2012_val_00000001.JPEG": b"", "ILSVRC2012_val_00000001.cls": b"65"}
    )
    found = open_dataset(path)
    assert found.classes == class_list("imagenet")
    assert found.recognised == "1 of the 50,000 images of the ImageNet validation set"


def test_the_track_says_which_classes_the_numbers_are(pack: Pack) -> None:
    path = pack("a.tar", {"0.jpg": b"", "0.cls": b"99"})
    assert open_dataset(path, track="cifar100").classes == class_list("cifar100")
    over = pack("b.tar", {"0.jpg": b"", "0.cls": b"1", "1.jpg": b"", "1.cls": b"100"})
    with pytest.raises(MicronetError) as caught:
        open_dataset(over, track="cifar100")
    assert str(caught.value) == (
        f"{over}: labels 1 to 100, expected 0 to 99.\nThey count from 1: subtract 1 from each."
    )


def test_images_without_label_are_named(pack: Pack) -> None:
    path = pack("a.tar", {"0.jpg": b"", "0.cls": b"1", "1.jpg": b"", "2.png": b"", "2.json": b"{}"})
    with pytest.raises(MicronetError) as caught:
        open_dataset(path)
    assert str(caught.value) == (
        f"{path}: 2 images without a label: 1, 2.\n"
        "A sample is KEY.jpg with KEY.cls, or with KEY.json that has a 'label'."
    )


def test_a_sample_with_two_images_is_an_error(pack: Pack) -> None:
    path = pack("a.tar", {"0.jpg": b"", "0.png": b"", "0.cls": b"1"})
    with pytest.raises(MicronetError, match=r"1 sample with more than one image: 0\."):
        open_dataset(path)


def test_an_image_that_is_there_twice_is_an_error(pack: Pack) -> None:
    path = pack("a.tar", {"cat/0.jpg": b"old"})
    with tarfile.open(path, "a") as archive:
        header = tarfile.TarInfo("./cat/0.jpg")
        archive.addfile(header)
    with pytest.raises(MicronetError) as caught:
        open_dataset(path)
    assert caught.value.message == f"{path}: 1 name twice: cat/0.jpg."


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("0.cls", b"cat", "0.cls in a.tar: expected a class index from 0 on, found 'cat'."),
        ("0.cls", b"-1", "0.cls in a.tar: expected a class index from 0 on, found '-1'."),
        ("0.cls", b"1.0", "0.cls in a.tar: expected a class index from 0 on, found '1.0'."),
        ("0.cls", b"", "0.cls in a.tar: expected a class index from 0 on, found ''."),
        ("0.cls", "٣".encode(), "0.cls in a.tar: expected a class index from 0 on, found '��'."),
        ("0.cls", b"1" * 7, "0.cls in a.tar: expected a class index from 0 on, found '1111111'."),
        ("0.cls", b"1" * 65, "0.cls has 65 bytes, expected 64 at most."),
        ("0.json", b"{", "0.json is not JSON."),
        ("0.json", b"\xff", "0.json is not JSON."),
        ("0.json", b"[" * 100_000, "0.json is not JSON."),
        (
            "0.json",
            b'{"label": true}',
            "0.json in a.tar: expected a class index from 0 on, found 'True'.",
        ),
        (
            "0.json",
            b'{"label": NaN}',
            "0.json in a.tar: expected a class index from 0 on, found 'nan'.",
        ),
        (
            "0.json",
            b'{"label": 1000000}',
            "0.json in a.tar: expected a class index from 0 on, found '1000000'.",
        ),
        ("0.json", b" " * (2**20 + 1), "0.json has 1,048,577 bytes, expected 1,048,576 at most."),
    ],
)
def test_a_label_that_is_no_number_is_an_error(
    pack: Pack, name: str, content: bytes, message: str
) -> None:
    path = pack("a.tar", {"0.jpg": b"", name: content})
    with pytest.raises(MicronetError) as caught:
        open_dataset(path)
    assert caught.value.message == f"{path}: {message}"


def test_a_list_for_shards_with_labels_is_refused(pack: Pack, tmp_path: Path) -> None:
    path = pack("a.tar", {"0.jpg": b"", "0.cls": b"1"})
    with pytest.raises(MicronetError, match=r"has labels of its own"):
        open_dataset(path, labels=tmp_path / "x")


# --- folders in tars


FOLDERS = {"n01440764/ILSVRC2012_val_00000293.JPEG": b"a", "n15075141/x.JPEG": b"bb"}


@pytest.mark.parametrize("front", ["", "./", "val/", "data/imagenet/val/", "/"])
def test_a_packed_tree_is_the_tree(plant: Plant, pack: Pack, front: str) -> None:
    """The same names, labels, sizes, so the same fingerprint, whatever stands in front."""
    tree = open_dataset(plant(FOLDERS))
    packed = pack("a.tar", {front + name: content for name, content in FOLDERS.items()})
    found = open_dataset(packed)
    assert found.examples == tree.examples
    assert found.fingerprint == tree.fingerprint
    assert (found.kind, found.classes) == ("tar-folders", tree.classes)
    assert [found.read(0), found.read(1)] == [b"a", b"bb"]


def test_tars_in_a_folder_make_one_tree(plant: Plant, pack: Pack) -> None:
    tree = open_dataset(plant(FOLDERS))
    for number, (name, content) in enumerate(FOLDERS.items()):
        root = pack(f"t/{number}.tar", {name: content}).parent
    assert open_dataset(root).fingerprint == tree.fingerprint


def test_val_is_taken_from_a_tar_of_several_splits(pack: Pack) -> None:
    path = pack("a.tar", {"train/cat/a.jpg": b"", "val/cat/b.jpg": b"", "val/dog/c.jpg": b""})
    found = open_dataset(path)
    assert [example.name for example in found.examples] == ["cat/b.jpg", "dog/c.jpg"]
    assert found.notes == ("Taken: its folder 'val'.",)


def test_clutter_and_links_in_a_tar_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("cat/a.jpg", "cat/._a.jpg", ".git/b.jpg", "cat/n.txt", "c.jpg"):
            archive.addfile(tarfile.TarInfo(name))
        for name, kind in (("cat/l.jpg", tarfile.SYMTYPE), ("cat/h.jpg", tarfile.LNKTYPE)):
            header = tarfile.TarInfo(name)
            header.type, header.linkname = kind, "/etc/passwd"
            archive.addfile(header)
        for name, kind in (("cat/d.jpg", tarfile.CHRTYPE), ("dog", tarfile.DIRTYPE)):
            header = tarfile.TarInfo(name)
            header.type = kind
            archive.addfile(header)
    found = open_dataset(path)
    assert [example.name for example in found.examples] == ["cat/a.jpg"]
    assert found.notes == (
        "Left out of a.tar: links and devices, 3: cat/d.jpg, cat/h.jpg, cat/l.jpg.",
        "Left out: 1 file without an image's suffix.",
        "Left out: 1 image outside the class folders: c.jpg.",
    )


def test_a_name_that_leads_out_of_the_archive_is_only_a_name(pack: Pack) -> None:
    path = pack("a.tar", {"../../etc/a.jpg": b"mine", "cat/b.jpg": b""})
    found = open_dataset(path)
    assert [example.name for example in found.examples] == ["../../etc/a.jpg", "cat/b.jpg"]
    assert found.read(0) == b"mine"


def test_a_flat_tar_takes_a_list(pack: Pack, tmp_path: Path) -> None:
    """As ILSVRC2012_img_val.tar comes."""
    path = pack("a.tar", {f"ILSVRC2012_val_0000000{n}.JPEG": bytes([n]) for n in (2, 1)})
    listed = tmp_path / "val.txt"
    listed.write_text("ILSVRC2012_val_00000001 65\nILSVRC2012_val_00000002 970\n", encoding="ascii")
    found = open_dataset(path, labels=listed)
    assert [(example.name[-6:], example.label) for example in found.examples] == [
        ("1.JPEG", 65),
        ("2.JPEG", 970),
    ]
    assert found.read(1) == b"\x02"
    assert found.kind == "tar-flat"
    with pytest.raises(MicronetError, match=r"holds images without class folders or labels"):
        open_dataset(path)


# --- the format


NAMES = ["a.jpg", "b" * 90 + "/" + "c" * 100 + ".jpg", "ä" * 200 + "/x.jpg", "d/" + "e" * 255]


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_are_read_as_tarfile_reads_them(tmp_path: Path, kind: int) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=kind) as archive:
        for size, name in enumerate(NAMES):
            header = tarfile.TarInfo(name)
            header.size = 500 * size
            header.pax_headers = {"comment": "x" * size}
            archive.addfile(header, io.BytesIO(bytes([size]) * header.size))
    found = read_archive(path)
    assert [member.name for member in found.members] == NAMES
    expected = [bytes([size]) * 500 * size for size in range(len(NAMES))]
    assert [member.read() for member in found.members] == expected
    assert found.ended


def test_ustar_prefixes_and_raw_names_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    names = ["p" * 100 + "/" + "n" * 90, os.fsdecode(b"caf\xe9.jpg")]
    with tarfile.open(
        path, "w", format=tarfile.USTAR_FORMAT, encoding="utf-8", errors="surrogateescape"
    ) as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    assert [member.name for member in read_archive(path).members] == names


def header_of(name: bytes, size: bytes, kind: bytes = b"0") -> bytes:
    """A header as the standard says, the size field as given."""
    block = bytearray(512)
    block[0 : len(name)] = name
    block[124 : 124 + len(size)] = size
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[148:155] = b"%06o\0" % sum(block)
    return bytes(block)


def write(tmp_path: Path, *parts: bytes) -> Path:
    path = tmp_path / "a.tar"
    path.write_bytes(b"".join(parts))
    return path


END = bytes(1024)
IMAGE = header_of(b"cat/a.jpg", b"%011o\0" % 1) + b"x".ljust(512, b"\0")


def test_sizes_to_the_base_256_and_by_pax_are_read(tmp_path: Path) -> None:
    record = b"10 size=1\n"
    path = write(
        tmp_path,
        header_of(b"a", b"\x80" + bytes(10) + b"\x01") + b"1".ljust(512, b"\0"),
        header_of(b"x", b"%011o\0" % len(record), b"x") + record.ljust(512, b"\0"),
        header_of(b"b", b"%011o\0" % 0) + b"2".ljust(512, b"\0"),
        header_of(b"c", b"%011o\0" % 3) + b"333".ljust(512, b"\0"),
        END,
    )
    expected = [("a", b"1"), ("b", b"2"), ("c", b"333")]
    assert [(member.name, member.read()) for member in read_archive(path).members] == expected


DAMAGED = {
    "nothing": ([], "it ends where a header should be"),
    "half a header": ([IMAGE, IMAGE[:100]], "it ends where a header should be"),
    "a damaged header": (
        [IMAGE, b"X" + header_of(b"b", b"0")[1:], END],
        "a header's checksum is wrong",
    ),
    "text": ([b"no tar " * 100], "a header holds something else than numbers"),
    "cut data": (
        [header_of(b"cat/b.jpg", b"%011o\0" % 600), bytes(512)],
        "'cat/b.jpg' is cut short",
    ),
    "negative": ([header_of(b"b.jpg", b"-1\0"), END], "a header holds something else than numbers"),
    "negative base 256": (
        [header_of(b"b.jpg", b"\xff" * 12), END],
        "a header holds something else than numbers",
    ),
    "large": (
        [header_of(b"b.jpg", b"%011o\0" % (2**28 + 1)), END],
        "'b.jpg' is cut short",
    ),
    "exabytes": ([header_of(b"b.jpg", b"\x80" + b"\x7f" * 11), END], "'b.jpg' is cut short"),
    "a second archive": (
        [IMAGE, END, IMAGE, END],
        "something follows its end, perhaps a second archive",
    ),
    "sparse": (
        [header_of(b"cat/b.jpg", b"0", b"S"), END],
        "'cat/b.jpg' is stored with holes (tar --sparse)",
    ),
    "sparse by pax": (
        [header_of(b"x", b"%011o\0" % 21, b"x") + b"21 GNU.sparse.size=1\n".ljust(512, b"\0"), END],
        "a file is stored with holes (tar --sparse)",
    ),
    "pax without records": (
        [header_of(b"x", b"%011o\0" % 5, b"x") + b"noise".ljust(512, b"\0"), END],
        "an extended header is not made of records",
    ),
    "pax without a value": (
        [header_of(b"x", b"%011o\0" % 6, b"x") + b"6 abc\n".ljust(512, b"\0"), END],
        "an extended header is not made of records",
    ),
    "pax that stands still": (
        [header_of(b"x", b"%011o\0" % 5, b"x") + b"0 a=b".ljust(512, b"\0"), END],
        "an extended header is not made of records",
    ),
    "a size that is none": (
        [header_of(b"x", b"%011o\0" % 11, b"x") + b"11 size=-1\n".ljust(512, b"\0"), END],
        "an extended header gives no size",
    ),
    "one name for all": (
        [header_of(b"g", b"%011o\0" % 10, b"g") + b"10 path=a\n".ljust(512, b"\0"), END],
        "one name or size is given for all files",
    ),
    "no name": ([header_of(b"./", b"0"), END], "a file has the name './'"),
    "a name with a NUL": (
        [header_of(b"x", b"%011o\0" % 12, b"x") + b"12 path=a\0b\n".ljust(512, b"\0"), IMAGE, END],
        "a file has the name 'a\\x00b'",
    ),
}


@pytest.mark.parametrize(("parts", "reason"), DAMAGED.values(), ids=DAMAGED.keys())
def test_damage_is_an_error_never_the_end(tmp_path: Path, parts: list[bytes], reason: str) -> None:
    path = write(tmp_path, *parts)
    with pytest.raises(MicronetError) as caught:
        open_dataset(path)
    assert str(caught.value) == (
        f"{path}: cannot be read as a tar file: {reason}.\n"
        "Get the file again; data are a folder, or tar files that are not compressed."
    )


def test_tarfile_itself_ends_without_a_word_at_a_damaged_header(tmp_path: Path) -> None:
    """Why it is not used: one of two images is gone, and nobody is told."""
    path = write(tmp_path, IMAGE, b"X" + header_of(b"b", b"0")[1:], END)
    with tarfile.open(path) as archive:
        assert archive.getnames() == ["cat/a.jpg"]


def test_a_member_too_large_is_refused_and_none_is_taken_into_memory(tmp_path: Path) -> None:
    large = 2**28 + 1
    path = write(tmp_path, header_of(b"cat/b.jpg", b"%011o\0" % large))
    os.truncate(path, 2**29)  # holes: it takes no space
    tracemalloc.start()
    with pytest.raises(
        MicronetError, match=r"'cat/b\.jpg' has 268,435,457 bytes; more than 268,435,456"
    ):
        open_dataset(path)
    extended = write(tmp_path, header_of(b"x", b"%011o\0" % large, b"x"))
    os.truncate(extended, 2**29)
    with pytest.raises(MicronetError, match="an extended header of 268,435,457 bytes"):
        open_dataset(extended)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20


def test_notes_come_in_the_order_of_the_tars(tmp_path: Path) -> None:
    for letter in "fbdace":
        (tmp_path / f"{letter}.tar").write_bytes(header_of(f"cat/{letter}.jpg".encode(), b"0"))
    expected = [f"{letter}.tar has no end mark; if it was cut" for letter in "abcdef"]
    assert [note.partition(" short")[0] for note in open_dataset(tmp_path).notes] == expected


def test_a_tar_without_end_mark_is_read_and_told_of(tmp_path: Path) -> None:
    found = open_dataset(write(tmp_path, IMAGE))
    assert len(found.examples) == 1
    assert found.notes == ("a.tar has no end mark; if it was cut short, images are missing.",)


@pytest.mark.parametrize(
    ("name", "compress", "word"),
    [
        ("a.tar.gz", gzip.compress, "gzip"),
        ("a.tar", gzip.compress, "gzip"),
        ("a.tar.bz2", bz2.compress, "bzip2"),
        ("a.tar.xz", lzma.compress, "xz"),
        ("a.tar.zst", lambda content: b"\x28\xb5\x2f\xfd" + content, "zstd"),
        ("a.zip", lambda content: b"PK\x03\x04" + content, "zip"),
    ],
)
def test_a_compressed_tar_is_refused_with_the_reason(
    tmp_path: Path, name: str, compress: Any, word: str
) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    path = folder / name
    path.write_bytes(compress(IMAGE + END))
    for place in [path] if word == "zip" else [path, folder]:
        with pytest.raises(MicronetError) as caught:
            open_dataset(place)
        assert str(caught.value) == (
            f"{path}: is compressed ({word}), and images are read out of the middle.\n"
            "Decompress it and give the .tar; JPEG gains nothing from compression."
        )


def test_many_threads_read_the_same(pack: Pack) -> None:
    """No descriptor and no position is shared, so nobody reads at another's place."""
    contents = {f"c/{number:03d}.jpg": bytes([number]) * 5000 for number in range(200)}
    found = open_dataset(pack("a.tar", contents))
    expected = list(contents.values())
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(found.read, list(range(200)) * 3)) == expected * 3


def test_the_reader_can_be_sent_to_another_process(pack: Pack) -> None:
    import pickle

    found = open_dataset(pack("a.tar", {"c/a.jpg": b"1"}))
    assert pickle.loads(pickle.dumps(found)).read(0) == b"1"  # noqa: S301 - our own


def test_an_archive_that_has_become_shorter_is_an_oserror(pack: Pack) -> None:
    path = pack("a.tar", {"c/a.jpg": b"1" * 600})
    found = open_dataset(path)
    os.truncate(path, 600)
    with pytest.raises(OSError, match="is shorter than when it was opened"):
        found.read(0)


PLAIN = IMAGE + header_of(b"dog/b.png", b"%011o\0" % 3, b"0") + b"abc".ljust(512, b"\0") + END


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(PLAIN) - 1), st.integers(0, 255)), max_size=4))
def test_flipped_bytes_are_refused_or_read_but_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[int, int]]
) -> None:
    content = bytearray(PLAIN)
    for place, byte in flips:
        content[place] = byte
    path = tmp_path_factory.getbasetemp() / "flipped.tar"
    path.write_bytes(content)
    with contextlib.suppress(MicronetError):
        found = open_dataset(path)
        assert all(isinstance(found.read(i), bytes) for i in range(len(found.examples)))
