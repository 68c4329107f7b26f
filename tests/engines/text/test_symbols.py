from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from engines.errors import EngineError, StyleError, TextError, VoiceError
from engines.text.sentence import Syllable, Word
from engines.text.symbols import DATA, SymbolTable, spell, syllable_phones, symbols

HELLO = (Word("你好", (Syllable("ni2"), Syllable("hao3")), 4),)


def _words(line: str, pinyin: str) -> list[Word]:
    """A KAN-TTS prosody line: text with #n, and pinyin with English between slashes."""
    syllables = []
    for chunk in filter(None, (part.strip() for part in pinyin.split("/"))):
        units = chunk.split(" . ") if chunk[0].isupper() else chunk.split()
        syllables += [Syllable(unit) for unit in units]
    line = re.sub(r"(?<=[A-Za-z])(?=[一-鿿])", "#1", line)
    words = []
    for text, level in re.findall(r"([^#]+)(?:#(\d))?", line):
        if text.isascii():
            count = {"WiFi": 2, "iPhone": 2, "OK": 2}[text]
        else:
            count = len(text) - (text.endswith("儿") and len(text) > 1)
        words.append(Word(text, tuple(syllables[:count]), int(level or 4)))
        del syllables[:count]
    assert not syllables
    return words


def test_symbols_equal_those_of_kan_tts_converter(data: Path) -> None:
    lines = (data / "kan_prosody_examples.txt").read_text(encoding="utf-8").splitlines()
    rows = (data / "kan_symbols_examples.txt").read_text(encoding="utf-8").splitlines()
    expected = dict(row.split("\t") for row in rows if row)
    assert len(expected) == len(lines) // 2 == 7
    for line, pinyin in zip(lines[::2], lines[1::2], strict=True):
        name, text = line.split("\t")
        words = _words(text, pinyin)
        assert symbols(words, break_emotion="emotion_neutral") == expected[name].split()


def test_ids_follow_the_vocabulary_of_kan_tts(data: Path) -> None:
    rows = (data / "kan_symbols_examples.txt").read_text(encoding="utf-8").splitlines()
    example = next(row.split("\t")[1].split() for row in rows if row.startswith("ex1"))
    ids = SymbolTable.default().encode(example)
    assert ids.dtype == np.int64
    assert ids.shape == (10, 6)
    assert ids[:, 0].tolist() == [34, 17, 16, 4, 142, 42, 23, 30, 22, 143]
    # tonelist.txt: tone1, none, tone4, tone2, tone3, tone5, tone0
    assert ids[:, 1].tolist() == [3, 3, 4, 4, 1, 2, 2, 2, 2, 1]
    assert ids[:, 2].tolist() == [0, 1, 0, 1, 2, 0, 1, 0, 1, 2]
    assert ids[:, 3].tolist() == [0, 2, 2, 1, 4, 0, 2, 2, 1, 4]
    assert set(ids[:, 4].tolist()) == {1}
    assert set(ids[:, 5].tolist()) == {0}


def test_sizes_count_padding_and_mask() -> None:
    table = SymbolTable.default(speakers=["F7", "M7"])
    assert table.sizes == (147, 10, 8, 8, 36, 5)


def test_table_of_a_voice_without_mask(tmp_path: Path) -> None:
    (tmp_path / "PhoneSet.xml").write_text(
        "<phoneSet xmlns='http://schemas.alibaba-inc.com/tts'>"
        "<phone><id>0</id><name>i_c</name></phone><phone><id>1</id><name>n_c</name></phone>"
        "<phone><id>2</id><name>h_c</name></phone><phone><id>3</id><name>ao_c</name></phone>"
        "</phoneSet>"
    )
    (tmp_path / "tonelist.txt").write_text("2\n\n3\n")
    table = SymbolTable.from_files(
        tmp_path / "PhoneSet.xml", tmp_path / "tonelist.txt", speakers=["A", "B"], mask=False
    )
    assert table.sizes == (4 + 4 + 2, 3 + 2, 7, 7, 35, 4)
    ids = table.encode(symbols(HELLO, speaker="B"))
    assert ids[:, 0].tolist() == [1, 0, 2, 3, 7]
    assert ids[:, 1].tolist() == [0, 0, 2, 2, 1]
    assert set(ids[:, 5].tolist()) == {1}


@pytest.mark.parametrize("content", ["", "<a>", "<a/>"])
def test_broken_phone_set_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "PhoneSet.xml"
    path.write_text(content)
    with pytest.raises(VoiceError, match=r"PhoneSet\.xml") as caught:
        SymbolTable.from_files(path, DATA / "tonelist.txt", speakers=["F7"])
    assert caught.value.code == "voice_broken"


@pytest.mark.parametrize("content", [b"", b"1\n1\n", b"\xff\xfe"])
def test_broken_tone_list_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tonelist.txt"
    path.write_bytes(content)
    with pytest.raises(VoiceError, match=r"tonelist\.txt") as caught:
        SymbolTable.from_files(DATA / "PhoneSet.xml", path, speakers=["F7"])
    assert caught.value.code == "voice_broken"


@pytest.mark.parametrize(
    ("pinyin", "phones", "tone"),
    [
        ("xue2", ("xx_c", "ve_c"), "tone2"),
        ("yu3", ("y_c", "v_c"), "tone3"),
        ("quan4", ("q_c", "van_c"), "tone4"),
        ("lv4", ("l_c", "v_c"), "tone4"),
        ("nü3", ("n_c", "v_c"), "tone3"),
        ("lu:e4", ("l_c", "ve_c"), "tone4"),
        ("lu4", ("l_c", "u_c"), "tone4"),
        ("zhi1", ("zh_c", "ih_c"), "tone1"),
        ("zi5", ("z_c", "ii_c"), "tone5"),
        ("er2", ("ge", "er_c"), "tone2"),
        ("ang2", ("ga", "ang_c"), "tone2"),
        ("liu4", ("l_c", "iou_c"), "tone4"),
        ("huar1", ("h_c", "uar_c"), "tone1"),
        ("n2", ("ge", "en_c"), "tone2"),
        ("W AY1", ("w", "ay"), "tone1"),
        ("F OW2 N", ("f", "ow", "n"), "tone0"),
    ],
)
def test_phones_of_a_syllable(pinyin: str, phones: tuple[str, ...], tone: str) -> None:
    assert syllable_phones(pinyin) == (phones, tone)


@pytest.mark.parametrize("pinyin", ["", "hao", "hao6", "xyz1", "好", "3", "hao3 "])
def test_what_is_no_syllable_is_refused(pinyin: str) -> None:
    with pytest.raises(TextError) as caught:
        syllable_phones(pinyin)
    assert caught.value.code == "text_unreadable"


def test_spelling_with_v() -> None:
    spelled = [spell(base) for base in ("ju", "xuan", "yue", "lüe", "nue", "jiu", "you", "yong")]
    assert spelled == ["jv", "xvan", "yve", "lve", "nve", "jiu", "you", "yong"]


def test_breaks_carry_no_emotion_and_the_last_is_the_end() -> None:
    words = (Word("你", (Syllable("ni3"),), 1), Word("好", (Syllable("hao3"),), 1))
    line = symbols(words, emotion="emotion_happy", speaker="M7")
    assert line[2] == "{#1$tone_none$s_none$word_none$emotion_none$M7}"
    assert line[-1] == "{#4$tone_none$s_none$word_none$emotion_none$M7}"
    assert line[0] == "{n_c$tone3$s_begin$word_begin$emotion_happy$M7}"


@pytest.mark.parametrize(
    ("wish", "error", "code", "cure"),
    [
        ({"speaker": "nobody"}, StyleError, "unknown_speaker", "F7"),
        ({"emotion": "emotion_hungry"}, StyleError, "unknown_emotion", "happy"),
    ],
)
def test_unknown_style_names_what_there_is(
    wish: dict[str, str], error: type[EngineError], code: str, cure: str
) -> None:
    with pytest.raises(error, match=cure) as caught:
        SymbolTable.default().encode(symbols(HELLO, **wish))
    assert caught.value.code == code


def test_phone_the_voice_lacks() -> None:
    table = SymbolTable(("n_c", "i_c"), ("tone2", "tone_none"))
    with pytest.raises(VoiceError) as caught:
        table.encode(symbols(HELLO))
    assert caught.value.code == "voice_unsupported"
