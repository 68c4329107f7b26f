from __future__ import annotations

import pytest

from engines.text.english import DATA, English, syllabify
from engines.text.symbols import syllable_phones


@pytest.fixture(scope="module")
def english() -> English:
    return English()


@pytest.mark.parametrize(
    ("word", "syllables"),
    [
        ("robot", ["R OW1", "B AA2 T"]),
        ("Tesla", ["T EH1", "S L AH0"]),
        ("extra", ["EH1 K", "S T R AH0"]),
        ("singing", ["S IH1 NG", "IH0 NG"]),
        ("don't", ["D OW1 N T"]),
        ("USB", ["Y UW1", "EH1 S", "B IY1"]),
        ("IT", ["AY1", "T IY1"]),
        ("it", ["IH1 T"]),
        ("OK", ["OW1", "K EY1"]),
        ("OpenAI", ["OW1", "P AH0", "N EY1", "AY1"]),
        ("SmartHome", ["S M AA1 R T", "HH OW1 M"]),
        ("tablecloths", ["T EY1", "B AH0 L", "K L AO2 TH S"]),
        ("MySQL", ["M AY1", "EH1 S", "K Y UW1", "EH1 L"]),
        ("PostgreSQL", ["P OW1 S T", "G R EH2 S", "K Y UW1", "EH1 L"]),
        (
            "getHTTPResponse",
            ["G EH1 T", "EY1 CH", "T IY1", "T IY1", "P IY1", "R IH0", "S P AA1 N S"],
        ),
        ("Meituan", ["mei1", "tuan1"]),
        ("zhangsan", ["zhang1", "san1"]),
        ("LiXiaoming", ["L IY1", "xiao1", "ming1"]),
        ("MEITUAN", ["EH1 M", "IY1", "AY1", "T IY1", "Y UW1", "EY1", "EH1 N"]),
        ("zzq", ["Z IY1", "Z IY1", "K Y UW1"]),
        ("aardvark", ["AA1 R D", "V AA2 R K"]),
        ("zyuganov", ["Z Y UW1", "G AA0", "N AA0 V"]),
    ],
)
def test_words(english: English, word: str, syllables: list[str]) -> None:
    assert [syllable.pinyin for syllable in english.read(word)] == syllables


def test_first_and_last_lines_of_the_dictionary_are_found(english: English) -> None:
    lines = (DATA / "cmudict.txt").read_text().splitlines()
    for line in (lines[0], lines[1], lines[-1], lines[len(lines) // 2]):
        word, phones = line.split(" ", 1)
        if len(word) > 1:
            spoken = " ".join(syllable.pinyin for syllable in english.read(word))
            assert spoken == phones


def test_own_words_and_letters_are_sayable(english: English) -> None:
    for name in ("words.txt", "letters.txt"):
        for line in (DATA / name).read_text().splitlines():
            syllables = english.read(line.split(" ")[0])
            assert syllables
            for syllable in syllables:
                assert syllable_phones(syllable.pinyin)[0]


def test_syllables_keep_every_phone() -> None:
    phones = ["S", "T", "R", "EH1", "NG", "K", "TH", "AH0", "N", "IH0", "NG"]
    assert " ".join(syllabify(phones)).split() == phones
    assert syllabify(["SH"]) == ["SH"]
