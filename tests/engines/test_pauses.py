from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.errors import VoiceError
from engines.pack import VoicePack
from engines.pauses import LONGEST_PAUSE, PAUSES, Mark, pause_after
from engines.pipeline import AudioChunk, Part
from engines.text.clauses import LONGEST_PART
from engines.voice import Style, Voice, front_end

BUILT_IN = Path(__file__).parents[2] / "voices" / "yue"
RATE = 16_000
LONG = "今天天气真好阳光洒在窗台上我泡了一杯咖啡准备开始一天的工作" * 4


@pytest.fixture(scope="module")
def plain(plain_pack: Path) -> Iterator[Voice]:
    with Voice.load(plain_pack) as voice:
        yield voice


@pytest.fixture(scope="module")
def yue() -> Iterator[Voice]:
    with Voice.load(BUILT_IN) as voice:
        yield voice


@pytest.fixture
def pack(plain_pack: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(plain_pack, tmp_path / "voice"))


def edit(pack: Path, pauses: str) -> None:
    """Replace the pauses the pack was written with."""
    file = pack / "voice.toml"
    before, found, rest = file.read_text("utf-8").partition("[pauses]\n")
    assert found
    _, _, after = rest.partition("\n[")
    file.write_text(f"{before}[pauses]\n{pauses}\n[{after}", "utf-8")


def speak(voice: Voice, text: str, style: Style | None = None) -> list[AudioChunk]:
    return list(voice.stream(voice.plan(text, style)))


def silences(chunks: list[AudioChunk]) -> list[float]:
    """Seconds of the chunks that are nothing but silence."""
    return [len(chunk.pcm) / RATE for chunk in chunks if not chunk.pcm.any()]


def pauses_planned(voice: Voice, text: str) -> list[float]:
    return [part.pause_s for part in voice.plan(text).parts]


@pytest.mark.parametrize(
    ("marks", "seconds"),
    [
        ("。", 0.28),
        ("？！", 0.28),
        ("!", 0.28),
        (".", 0.28),
        ("……", PAUSES["…"]),
        ("，", PAUSES["，"]),
        ("）", PAUSES["，"]),
        ("）；", PAUSES["；"]),
        ("。\n", PAUSES["newline"]),
        ("\n", PAUSES["newline"]),
        ("", PAUSES["none"]),
    ],
)
def test_the_longest_pause_of_the_marks_counts(marks: str, seconds: float) -> None:
    assert pause_after(marks, {}) == seconds


def test_a_pause_is_longer_the_more_a_mark_ends() -> None:
    order: list[Mark] = ["none", "、", "，", "：", "；", "。", "…", "newline"]
    lengths = [PAUSES[mark] for mark in order]
    assert lengths == sorted(set(lengths))
    assert 0 <= lengths[0] < 0.05
    assert lengths[-1] <= LONGEST_PAUSE


def test_what_a_voice_says_counts() -> None:
    assert pause_after("。", {"。": 1.5}) == 1.5
    assert pause_after("，。", {"。": 0.0, "，": 0.5}) == 0.5
    assert pause_after("；", {"。": 1.5}) == PAUSES["；"]


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("你好。再见。", "。"),
        ("你好！再见", "！"),
        ("Hello. 再见。", "。"),
        ("你好。”\n“再见。", "newline"),
        ("你好\n再见", "newline"),
    ],
)
def test_what_ended_a_sentence_gives_its_pause(plain: Voice, text: str, mark: Mark) -> None:
    assert silences(speak(plain, text)) == [pytest.approx(PAUSES[mark], abs=1 / RATE)]


def test_no_pause_before_the_first_part_nor_after_the_last(plain: Voice) -> None:
    chunks = speak(plain, "你好。再见。\n\n")
    assert [chunk.pcm.any() for chunk in (chunks[0], chunks[-1])] == [True, True]
    assert len(silences(speak(plain, "你好。\n"))) == 0


def test_speed_scales_a_pause(plain: Voice) -> None:
    assert silences(speak(plain, "你好。再见。", Style(speed=2.0))) == [pytest.approx(0.14)]
    assert silences(speak(plain, "你好。再见。", Style(speed=0.5))) == [pytest.approx(0.56)]


def test_a_pack_says_its_own_pauses(pack: Path) -> None:
    edit(pack, '"。" = 1\nnewline = 2.5\n"？" = 0\n')
    with Voice.load(pack) as voice:
        assert silences(speak(voice, "你好。再见！谢谢\n好的？嗯")) == [1.0, 0.28, 2.5]


def test_a_pack_without_pauses_has_the_usual_ones(pack: Path) -> None:
    edit(pack, "")
    with Voice.load(pack) as voice:
        assert pauses_planned(voice, "你好。再见")[0] == 0.28


def test_a_pack_is_written_with_the_pauses_to_edit(plain_pack: Path) -> None:
    assert VoicePack(plain_pack).file.pauses == PAUSES


@pytest.mark.parametrize(
    "pauses",
    [
        '"。" = -0.1',
        '"。" = 5.1',
        '"。" = nan',
        '"。" = inf',
        '"。" = "long"',
        '"。" = true',
        '"~" = 0.1',
        "comma = 0.1",
    ],
)
def test_wrong_pauses_are_refused_with_what_is_right(pack: Path, pauses: str) -> None:
    edit(pack, pauses + "\n")
    with pytest.raises(
        VoiceError, match=r"pauses are seconds from 0 to 5 after: 。 ！ .* newline"
    ) as e:
        VoicePack(pack)
    assert e.value.code == "voice_broken"


def test_parts_of_one_sentence_bear_its_number(plain: Voice) -> None:
    told = [(part.sentence, len(part.ids)) for part in plain.plan(f"你好。{LONG}。再见。").parts]
    numbers = [number for number, _ in told]
    assert numbers == sorted(numbers)
    assert set(numbers) == {0, 1, 2}
    assert numbers.count(1) > 1
    assert max(size for _, size in told) <= LONGEST_PART
    heard = [chunk.sentence for chunk in speak(plain, f"{LONG}。再见。")]
    assert heard == sorted(heard)
    assert set(heard) == {0, 1}


def test_a_long_sentence_is_its_parts_and_short_pauses(plain: Voice) -> None:
    plan = plain.plan(LONG + "。")
    planned = list(plan.parts)
    whole = speak(plain, LONG + "。")
    assert len(planned) > 1
    assert [part.pause_s for part in planned] == [PAUSES["none"]] * (len(planned) - 1) + [0.28]
    assert silences(whole) == [PAUSES["none"]] * (len(planned) - 1)
    acoustic = plain._pipeline._acoustic
    frames = [acoustic.prepare(part.ids, plan.controls).frames for part in planned]
    samples = sum(frames) * plain._file.hop_length + RATE * sum(silences(whole))
    assert len(np.concatenate([chunk.pcm for chunk in whole])) == samples


@pytest.mark.parametrize(
    ("name", "text", "mark"),
    [
        ("no punctuation", LONG * 30, "none"),
        ("only commas", "今天天气真好，阳光洒在窗台上，我泡了一杯咖啡，" * 130, "，"),
    ],
)
def test_3000_characters_of_one_sentence_can_be_spoken(
    yue: Voice, name: str, text: str, mark: Mark
) -> None:
    text = text[:3000]
    plan = yue.plan(text)
    planned = list(plan.parts)
    assert len({part.sentence for part in planned}) == 3  # text without an end is cut at 1,000
    assert {part.pause_s for part in planned[:-1]} == {PAUSES[mark]}
    assert max(len(part.ids) for part in planned) <= LONGEST_PART
    words = [word for sentence in front_end().read(text) for word in sentence.words]
    assert sum(len(word.syllables) for word in words) >= 2600
    seconds = 0.0
    for part in planned:
        frames = yue._pipeline._acoustic.prepare(part.ids, plan.controls).frames
        assert 1.0 < frames * 0.0125 < 40.0
        seconds += frames * 0.0125
    assert seconds > 300


def test_parts_are_read_as_they_are_needed(yue: Voice, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    ids = yue._planner._ids

    def counted(*told: Any) -> object:
        read.append(1)
        return ids(*told)

    monkeypatch.setattr(yue._planner, "_ids", counted)
    plan = yue.plan(LONG * 30)
    assert len(read) == 1
    assert all(isinstance(part, Part) for part in islice(plan.parts, 3))
    assert len(read) == 3
