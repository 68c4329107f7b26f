from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engines.text.pieces import LONGEST_PIECE, pieces

SENTENCE = "今天天气真好，我们去公园散步吧。"


@settings(max_examples=100, deadline=None, database=None)
@example("a" * 5000)
@example("。" * 5000)
@given(
    st.lists(
        st.sampled_from([SENTENCE, "好", "1", "a", " ", "\n", "。", "”", "？！"]), max_size=4000
    )
)
def test_pieces_are_short_and_nothing_is_lost(parts: list[str]) -> None:
    text = "".join(parts)
    cut = list(pieces(text))
    assert "".join(cut) == text
    assert all(0 < len(piece) <= LONGEST_PIECE for piece in cut)


def test_pieces_end_with_a_sentence() -> None:
    cut = list(pieces(SENTENCE * 200))
    assert len(cut) > 5
    assert all(piece.endswith("。") for piece in cut)


@pytest.mark.parametrize("end", ["”", "”\n", "！", "\n"])
def test_what_closes_a_sentence_stays_with_it(end: str) -> None:
    cut = list(pieces(("你好" * 100 + "。" + end) * 20))
    assert all(piece.endswith("。" + end) for piece in cut)


def test_a_number_or_word_is_not_cut_where_there_is_another_place() -> None:
    cut = list(pieces("共12345.67元" * 2000))
    assert len(cut) > 3
    assert all(piece.endswith(("共", "元")) for piece in cut)
