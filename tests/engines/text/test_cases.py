"""Numbers in every role, natural text, WeTextProcessing's cases: as `make bench-text` counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import text_scores
from engines.text.frontend import FrontEnd
from engines.text.normalize import Normalizer
from engines.text.readings import Readings


@pytest.fixture(scope="module")
def normalizer() -> Normalizer:
    return Normalizer()


def test_own_cases_are_all_said_right(normalizer: Normalizer, data: Path) -> None:
    roles = text_scores.roles(normalizer, data / "cases.tsv")
    assert sum(role.total for role in roles) >= 500
    assert len(roles) >= 25
    assert not [miss for role in roles for miss in role.misses]


def test_wetext_cases_but_the_explained_one(normalizer: Normalizer, data: Path) -> None:
    score = text_scores.wetext(normalizer, data / "wetext")
    assert score.total == 127
    assert [miss.case for miss in score.misses] == ["010-64035547"]


def test_natural_text(front_end: FrontEnd, data: Path) -> None:
    score = text_scores.natural(front_end, data / "natural.tsv")
    assert score.total > 3800
    assert score.percent >= 99.5, score.misses


def test_converter_examples(data: Path) -> None:
    score = text_scores.converter(data)
    assert (score.right, score.total) == (7, 7)


def test_a_wrong_syllable_costs_one_and_a_wrong_length_the_sentence(
    front_end: FrontEnd, tmp_path: Path
) -> None:
    (tmp_path / "n.tsv").write_text("你好\tni2 hao4\n再见\tzai4\n谢谢\txie4 xie5\n", "utf-8")
    score = text_scores.natural(front_end, tmp_path / "n.tsv")
    assert (score.right, score.total) == (3, 5)
    assert [miss.case for miss in score.misses] == ["你好", "再见"]


def test_a_polyphone_is_looked_up_where_it_is_marked(tmp_path: Path) -> None:
    (tmp_path / "dev.sent").write_text(
        "他在银▁行▁工作。\n这▁行▁不▁行\n".replace("不▁行", "不行"), "utf-8"
    )
    (tmp_path / "dev.lb").write_text("hang2\nlu:4\n", "utf-8")
    score = text_scores.cpp(Readings(), tmp_path)
    assert (score.right, score.total) == (1, 2)
