from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.errors import LexiconError
from engines.text.frontend import FrontEnd
from engines.text.lexicon import Entry, Lexicon
from engines.text.lexicon_file import LexiconFile, read_lexicon
from engines.text.sentence import Sentence


def lexicon(*rows: tuple[str, str]) -> Lexicon:
    entries = [Entry.of(word, pinyin) for word, pinyin in rows]
    return Lexicon({entry.word: entry for entry in entries})


def spoken(sentences: list[Sentence]) -> str:
    return " ".join(s.pinyin for x in sentences for w in x.words for s in w.syllables)


@pytest.mark.parametrize(
    ("word", "pinyin", "text", "expected"),
    [
        ("一杯", "yi1 bei1", "泡了一杯茶", "pao4 le5 yi1 bei1 cha2"),
        ("台", "tai1", "窗台", "chuang1 tai1"),
        ("解小曾", "xie4 xiao3 zeng1", "我找解小曾", "wo2 zhao3 xie4 xiao3 zeng1"),
        ("行长", "xing2 chang2", "银行长在", "yin2 xing2 chang2 zai4"),
        ("花儿", "huar1", "花儿", "huar1"),
        ("花儿", "hua1 er2", "花儿", "hua1 er2"),
        (
            "GPT-5",
            "JH IY1 . P IY1 . T IY1 . F AY1 V",
            "用gpt-5吧",
            "yong4 JH IY1 P IY1 T IY1 F AY1 V ba5",
        ),
        ("C++", "xi1 jia1 jia1", "学C++难", "xue2 xi1 jia1 jia1 nan2"),
        ("3D打印", "san1 di4 da3 yin4", "做3D打印", "zuo4 san1 di4 da3 yin4"),
        ("App", "ei1 pi4 pi4", "Apple", "AE1 P AH0 L"),
    ],
)
def test_a_word_of_the_lexicon_is_said_just_so(
    front_end: FrontEnd, word: str, pinyin: str, text: str, expected: str
) -> None:
    sentences = front_end.read(text, lexicon((word, pinyin)))
    assert spoken(sentences) == expected
    assert "".join(w.text for s in sentences for w in s.words).lower() == text.lower()


def test_its_span_is_what_the_user_wrote(front_end: FrontEnd) -> None:
    text = "请买gpt-5和3个杯"
    (sentence,) = front_end.read(text, lexicon(("GPT-5", "JH IY1 . P IY1 . T IY1 . F AY1 V")))
    (word,) = [word for word in sentence.words if word.text == "gpt-5"]
    assert text[slice(*word.span)] == "gpt-5"
    assert text[slice(*sentence.words[-1].span)].endswith("杯")


def test_the_longest_word_and_the_upper_level_win(front_end: FrontEnd) -> None:
    lower = lexicon(("行", "xing2"), ("银行", "yin2 hang4"), ("家", "jia5"))
    upper = lexicon(("家", "jie5"))
    both = upper.over(lower)
    assert spoken(front_end.read("银行家", both)) == "yin2 hang4 jie5"
    assert spoken(FrontEnd(lower).read("银行家", upper)) == "yin2 hang4 jie5"
    assert spoken(front_end.read("银行{hang1}家", both)) == "yin2 hang1 jie5"
    assert Lexicon().over(lower) is lower
    assert lower.over(Lexicon()) is lower


def test_both_forms_of_file_are_read(tmp_path: Path, front_end: FrontEnd) -> None:
    (tmp_path / "a.csv").write_text(
        "\ufeffword,pinyin,pos\r\n# a comment, with commas, many\r\n\r\n六安,lu4 an1,ns\n"
        '"U-Disk",you1 pan2\n',
        encoding="utf-8",
    )
    (tmp_path / "a.toml").write_text(
        '[words]\n"六安" = {pinyin = "lu4 an1", pos = "ns"}\n"U-Disk" = "you1 pan2"\n',
        encoding="utf-8",
    )
    first, second = read_lexicon(tmp_path / "a.csv"), read_lexicon(tmp_path / "a.toml")
    assert first.entries == second.entries
    assert first.entries["六安"] == Entry("六安", ("lu4", "an1"), "ns")
    assert spoken(front_end.read("六安的u-disk", first)) == "lu4 an1 de5 you1 pan2"


@pytest.mark.parametrize(
    ("name", "content", "line", "reason"),
    [
        ("a.csv", "六安,lu4 an1\n长沙,chang2\n", 2, "2 characters and 1 syllables"),
        ("a.csv", '六安,"lu4\nan1"\n长沙,chang2 sha9\n', 3, "'sha9'"),
        ("a.csv", "六安\n", 1, "1 columns"),
        ("a.csv", "六安,lu4 an1\n\n六安,liu4 an1\n", 3, "line 1 already"),
        ("a.csv", "六安,lu4 an1,Name!\n", 1, "part of speech"),
        ("a.csv", '"六安,lu4 an1', 1, "not CSV"),
        ("a.csv", "六安,L UW1 . AE1 N\n", 1, "not in ARPAbet"),
        ("a.csv", "AI,EY1 . QQ1\n", 1, "ARPAbet phone"),
        ("a.csv", f"{'长' * 40},a1\n", 1, "1 to 32 characters"),
        ("a.toml", '[words]\n\n"六安" = "lu4"\n', 3, "give one syllable"),
        ("a.toml", '[words]\n"六安" = {pin = "lu4 an1"}\n', 2, "pinyin"),
        ("a.toml", '[words]\n"六安" = {pinyin = 3}\n', 2, "quotes"),
        ("a.toml", '[words]\n"六安" = 5\n', 2, "pinyin"),
        ("a.toml", '[words]\n[words."六安"]\npinyin="lu4"', 2, "give one syllable"),
        ("a.toml", '"六安" = "lu4 an1"\n', 1, "under [words]"),
        ("a.toml", "[words]\n六安 = 'lu4 an1'\n", 2, "not TOML"),
        ("a.toml", "", 1, "no table [words]"),
    ],
)
def test_errors_name_file_and_line(
    tmp_path: Path, name: str, content: str, line: int, reason: str
) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(LexiconError) as caught:
        read_lexicon(path)
    assert caught.value.code == "bad_lexicon"
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert reason in str(caught.value)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(LexiconError, match="No such file") as caught:
        read_lexicon(tmp_path / "none.csv")
    assert caught.value.code == "lexicon_not_found"
    (tmp_path / "a.csv").write_bytes("好,hao3\n".encode("gbk"))
    with pytest.raises(LexiconError, match=r"a\.csv:1: this is not UTF-8"):
        read_lexicon(tmp_path / "a.csv")
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(LexiconError, match="rename it"):
        read_lexicon(tmp_path / "a.json")
    with (tmp_path / "big.csv").open("wb") as file:
        file.truncate((8 << 20) + 1)
    with pytest.raises(LexiconError, match="larger than 8 MiB"):
        read_lexicon(tmp_path / "big.csv")


def test_a_changed_file_is_read_again_and_a_bad_one_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "lexicon.csv"
    path.write_text("六安,lu4 an1\n", encoding="utf-8")
    file = LexiconFile(path)
    assert not file.look()
    path.write_text("六安,liu4 an1\n长沙,chang2 sha1\n", encoding="utf-8")
    assert file.look()
    assert set(file.lexicon.entries) == {"六安", "长沙"}
    path.write_text("六安,x\n", encoding="utf-8")
    os.utime(path, ns=(1, 1))
    assert file.look()
    assert f"{path}:1: " in file.problem
    assert set(file.lexicon.entries) == {"六安", "长沙"}
    assert not file.look(), "it is told once"
    path.unlink()
    assert file.look()
    assert f"cannot read the lexicon {path}" in file.problem
    assert set(file.lexicon.entries) == {"六安", "长沙"}
    path.write_text("长沙,chang2 sha1\n", encoding="utf-8")
    assert file.look()
    assert (set(file.lexicon.entries), file.problem) == ({"长沙"}, "")


def test_a_folder_has_one_lexicon_or_none(tmp_path: Path) -> None:
    found = LexiconFile.of_folder(tmp_path)
    assert (found.lexicon.entries, found.error) == ({}, None)
    (tmp_path / "lexicon.csv").write_text("六安,lu4 an1\n", encoding="utf-8")
    assert found.look()
    assert set(found.lexicon.entries) == {"六安"}
    (tmp_path / "lexicon.toml").write_text("[words]\n", encoding="utf-8")
    assert found.look()
    assert "one of them" in found.problem
    assert set(found.lexicon.entries) == {"六安"}
    for name in ("lexicon.csv", "lexicon.toml"):
        (tmp_path / name).unlink()
    assert found.look()
    assert (found.lexicon.entries, found.error) == ({}, None)


@settings(max_examples=80, deadline=None, database=None)
@given(
    st.one_of(
        st.binary(max_size=200), st.text(max_size=100).map(lambda t: t.encode("utf-8", "replace"))
    ),
    st.sampled_from(["a.csv", "a.toml"]),
)
def test_any_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    with suppress(LexiconError):
        read_lexicon(path)
