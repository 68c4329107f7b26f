from __future__ import annotations

import pytest

from engines.text.g2pm import G2pM


@pytest.fixture(scope="module")
def model() -> G2pM:
    return G2pM()


@pytest.mark.parametrize(
    ("text", "character", "reading"),
    [
        ("他在银行工作了十年。", "行", "hang2"),
        ("这样做行不通。", "行", "xing2"),
        ("关于这个问题的处理", "处", "chu3"),
        ("他只买了一只鸡。", "只", "zhi3"),
        ("关上门。", "上", "shang4"),
        ("这首曲子很好听", "曲", "qu3"),
        ("这首曲子很好听", "好", "hao3"),
    ],
)
def test_readings_follow_the_sentence(model: G2pM, text: str, character: str, reading: str) -> None:
    assert model.is_polyphone(character)
    assert model.read(text, [text.index(character)]) == [reading]


def test_several_places_at_once_equal_one_by_one(model: G2pM) -> None:
    text = "银行行长重视长度"
    places = [1, 2, 3, 4, 6]
    assert model.read(text, places) == [model.read(text, [place])[0] for place in places]
    assert model.read(text, []) == []
