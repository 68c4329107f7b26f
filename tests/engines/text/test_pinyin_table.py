from __future__ import annotations

from benchmarks import pinyin_tables
from engines.text.pinyin_table import CHARACTERS, PHRASES, first_reading, phrases


def test_the_tables_are_those_that_pypinyin_makes() -> None:
    made = "\n".join(pinyin_tables.phrases()) + "\n"
    assert PHRASES.read_text(encoding="utf-8") == made
    made = "\n".join(pinyin_tables.characters()) + "\n"
    assert CHARACTERS.read_text(encoding="utf-8") == made


def test_phrases() -> None:
    assert phrases().read("银行") == ["yin2", "hang2"]
    assert phrases().read("旅行") == ["lv3", "xing2"]
    assert "银行" in phrases()
    assert "行" not in phrases()
    assert phrases() is phrases()


def test_first_readings_of_characters() -> None:
    assert [first_reading(c) for c in "好绿㐀一龥"] == ["hao3", "lv4", "qiu1", "yi1", "yu4"]
    assert [first_reading(c) for c in "a。が\U000323ff"] == [""] * 4
