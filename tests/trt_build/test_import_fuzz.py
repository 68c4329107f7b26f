"""Whatever a file of a voice holds: the import exits 1 with a code, and --out is as it was."""

from __future__ import annotations

import io
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trt_build.kantts_voices import change_params, model, modelscope, tables
from trt_build.__main__ import main

FUZZ = settings(deadline=None, max_examples=30)
CODE = re.compile(r"^import: .*\[[a-z0-9_]+\]$", re.DOTALL)
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
WEIRD: st.SearchStrategy[object] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**20), 10**20),
        st.integers(-3, 20),
        st.floats(),
        st.text(max_size=5),
        st.dates(),
        st.binary(max_size=5),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pair that could be imported, with tables of its own."""
    work = tmp_path_factory.mktemp("pair")
    model("sambert_nsf_16k", work / "am")
    model("hifigan_noncausal_nsf_v1_16k", work / "voc")
    tables(work / "resource" / "PinYin")
    return work


@contextmanager
def copied(source: Path) -> Iterator[Path]:
    """A voice in a temporary folder; only what is going to be changed need be copied."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(shutil.copytree(source, Path(folder) / "voice", copy_function=linked))


def linked(source: str, target: str) -> str:
    Path(target).symlink_to(source)
    return target


def rewrite(path: Path, data: bytes) -> None:
    """Write a file anew, in the place of a link."""
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def refuse(voice: Path) -> None:
    """Import over an earlier pack; if nothing else, the emotion asked for is refused."""
    out = voice.parent / "voices" / "v"
    out.mkdir(parents=True)
    (out / "voice.toml").write_text("earlier", "utf-8")
    told = io.StringIO()
    with redirect_stderr(told):
        assert main(["import", str(voice), "--out", str(out), "--emotion", "drunk"]) == 1
    last = "import: " + told.getvalue().rpartition("import: ")[2].strip()
    assert CODE.match(last), last
    assert [p.name for p in out.parent.iterdir()] == ["v"]
    assert [(p.name, p.read_text("utf-8")) for p in out.iterdir()] == [("voice.toml", "earlier")]


def changed(data: st.DataObject, good: bytes) -> bytes:
    """Bytes changed, taken out, put in or doubled, in a few places."""
    content = bytearray(good)
    for _ in range(data.draw(st.integers(1, 5), "changes")):
        at = data.draw(st.integers(0, max(0, len(content) - 1)), "at")
        length = data.draw(st.integers(0, 8), "length")
        new = data.draw(st.one_of(st.binary(max_size=8), st.just(bytes(content[at : at + 40]))))
        content[at : at + length] = new
    return bytes(content)


@FUZZ
@given(data=st.data())
def test_text_of_a_config(pair: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["am", "voc"]), "model")
    with copied(pair) as voice:
        path = voice / name / "config.yaml"
        rewrite(path, changed(data, path.read_bytes()))
        refuse(voice)


@FUZZ
@given(data=st.data())
def test_values_of_a_config(pair: Path, data: st.DataObject) -> None:
    """Any value under any key, wherever in the file."""
    with copied(pair) as voice:
        path = voice / data.draw(st.sampled_from(["am", "voc"]), "model") / "config.yaml"
        config = yaml.safe_load(path.read_text("utf-8"))
        place = config
        while True:
            key = data.draw(st.sampled_from(sorted(place, key=str)), "key")
            if not isinstance(place[key], dict) or not place[key] or data.draw(st.booleans()):
                break
            place = place[key]
        place[key] = data.draw(WEIRD, "value")
        rewrite(path, yaml.safe_dump(config).encode())
        refuse(voice)


@FUZZ
@given(data=st.data())
def test_pickle_of_a_checkpoint(pair: Path, data: st.DataObject) -> None:
    """The archive is sound, so what was changed reaches the unpickler."""
    with copied(pair) as voice:
        path = voice / data.draw(st.sampled_from(["am", "voc"])) / "ckpt" / "checkpoint_0.pth"
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        (pickled,) = (name for name in members if name.endswith("data.pkl"))
        members[pickled] = changed(data, members[pickled])
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        rewrite(path, file.getvalue())
        refuse(voice)


@FUZZ
@given(data=st.data())
def test_bytes_of_other_files(pair: Path, data: st.DataObject) -> None:
    name = data.draw(
        st.sampled_from(
            [
                "am/mvn.npy",
                "resource/PinYin/PhoneSet.xml",
                "resource/PinYin/tonelist.txt",
                "voices.json",
                "configuration.json",
                "audio_config.yaml",
            ]
        )
    )
    with copied(pair) as voice:
        path = voice / name
        rewrite(path, changed(data, path.read_bytes() if path.exists() else b'{"voices": ["v"]}'))
        refuse(voice)


@FUZZ
@given(data=st.data(), method=st.sampled_from(METHODS))
def test_bytes_of_a_zip(data: st.DataObject, method: int) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("voices/v/am/config.yaml", b"Model: {KanTtsSAMBERT: {params: {}}}\n")
        archive.writestr("voices/v/voc/config.yaml", b"Model: {Generator: {params: {}}}\n")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "voice.zip"
        path.write_bytes(changed(data, file.getvalue()))
        refuse(path)


NAMES = st.lists(
    st.one_of(
        st.text(max_size=12),
        st.sampled_from(
            [".", "..", "./config.yaml", "a/../b.yaml", "/x.yaml", "C:x.yaml", "a\\b.yaml"]
        ),
        st.sampled_from(["a.yaml", "a.yaml/config.yaml", "x" * 300 + ".yaml", "d/" * 3000]),
        st.sampled_from(["am/config.yaml", "voices.zip", "resource.zip", "voices/voices.json"]),
    ),
    max_size=5,
    unique=True,
)


@FUZZ
@given(names=NAMES, content=st.one_of(st.binary(max_size=20), st.just(b"Model: {Generator: 1}")))
def test_members_of_a_zip(names: list[str], content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "voice.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(zipfile.ZipInfo(name), content)
        refuse(path)
        assert sorted(p.name for p in Path(folder).iterdir()) == ["voice.zip", "voices"]


def alias_bomb(am: Path) -> None:
    lines = ["bomb0: &b0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"bomb{i}: &b{i} [{', '.join([f'*b{i - 1}'] * 9)}]" for i in range(1, 10)]
    more(am, "\n".join([*lines, "audio_config: {sampling_rate: *b9}"]))


def merge_bomb(am: Path) -> None:
    lines = ["bomb0: &b0 {x: 1}"]
    lines += [f"bomb{i}: &b{i} {{<<: [{', '.join([f'*b{i - 1}'] * 9)}]}}" for i in range(1, 10)]
    more(am, "\n".join(lines))


def more(am: Path, text: str) -> None:
    path = am / "config.yaml"
    rewrite(path, path.read_bytes() + f"\n{text}\n".encode())


@pytest.mark.parametrize(
    "change",
    [
        alias_bomb,
        merge_bomb,
        lambda am: more(am, "x: &x [*x]"),
        lambda am: more(am, f"audio_config: {{sampling_rate: 0x{'f' * 9000}}}"),
        lambda am: more(am, "x: 2022-13-45"),
        lambda am: more(am, "x: !!int x"),
        lambda am: more(am, "x: " + "[" * 5000),
        lambda am: more(am, "x: " + "1, " * 2_000_000),
        lambda am: rewrite(am / "mvn.npy", npy("(1000000000000000,)")),
        lambda am: rewrite(am / "mvn.npy", npy("(2,")),
        lambda am: rewrite(am / "mvn.npy", b"PK\x03\x04"),
        *(lambda am, key=k: change_params(am, **{key: 99_999}) for k in ("encoder_num_layers",)),
    ],
    ids=[
        "aliases",
        "merges",
        "alias of itself",
        "long number",
        "date",
        "number",
        "deep",
        "large",
        "huge array",
        "array without an end",
        "zipped array",
        "layers",
    ],
)
def test_what_was_once_let_through(pair: Path, change: Callable[[Path], None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        voice = Path(shutil.copytree(pair, Path(folder) / "voice"))
        change(voice / "am")
        refuse(voice)


def npy(shape: str) -> bytes:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


def test_a_voice_that_would_be_imported_but_for_the_emotion(tmp_path: Path) -> None:
    """So that the cases above are refused for what was changed in them."""
    told = io.StringIO()
    with redirect_stderr(told):
        root = modelscope(tmp_path / "model", "v")
        main(["import", str(root), "--out", str(tmp_path / "v"), "--emotion", "drunk"])
    assert told.getvalue().endswith("[emotion_unknown]\n")
