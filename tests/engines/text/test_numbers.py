from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from engines.text.numbers import NUMERALS, number_parts
from engines.text.spoken import roman


@settings(max_examples=300, deadline=None, database=None)
@example("二点二点二点两点")
@example("点")
@example("三点五千克")
@given(st.text("".join(sorted(NUMERALS)) + "克米个分半", min_size=1, max_size=30))
def test_no_part_of_a_number_is_lost(word: str) -> None:
    assert "".join(number_parts(word)) == word


def test_roman_numerals() -> None:
    values = [roman(n) for n in ("I", "III", "IV", "V", "VIII", "IX", "XIV", "XXXIX")]
    assert values == [1, 3, 4, 5, 8, 9, 14, 39]
