from __future__ import annotations

import pytest

from engines.text.symbols import SymbolTable
from training.corpus import Corpus
from training.emotions import EMOTIONS
from training.fallback import ENOUGH, fallback

PHONES = SymbolTable.default().phones


def test_unheard_phones_get_a_heard_one(corpus: Corpus) -> None:
    words = [("ta1",), ("na4", "mian2"), ("wan2", "er2")] * ENOUGH
    table = fallback(PHONES, words)
    assert table["t"] == "t_c"
    assert table["aa"] == "a_c"
    assert table["anr_c"] == "er_c"
    assert table["ianr_c"] == "ian_c"
    assert table["tone0"] == "tone5"
    assert "t_c" not in table
    assert set(table.values()) <= {*PHONES, "tone5"}
    assert not set(table.values()) & set(table)


def test_a_trained_phone_keeps_its_own_sound() -> None:
    assert "anr_c" in fallback(PHONES, [("wan2", "er2")] * ENOUGH)
    assert "anr_c" not in fallback(PHONES, [("wanr2", "er2")] * ENOUGH)


def test_a_phone_with_nothing_near_it_stays() -> None:
    assert "k" not in fallback(PHONES, [("ta1",)])


@pytest.mark.parametrize("name", sorted(EMOTIONS))
def test_emotions_are_kantts_names_within_what_a_voice_can_do(name: str) -> None:
    assert f"emotion_{name}" in SymbolTable.default().emotions
    preset = EMOTIONS[name]
    assert set(preset) <= {"speed", "pitch", "range", "energy", "volume"}
    assert 0.8 <= preset.get("speed", 1) <= 1.25
    assert -3 <= preset.get("pitch", 0) <= 3
    assert (name == "neutral") == (not preset)
