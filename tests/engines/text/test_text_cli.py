from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from engines.text.cli import main


def test_readable_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["你好，WiFi 5G😀"]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0] == "text     你好，WiFi 五G"
    assert lines[1].split() == ["words", "你好", "#3", "WiFi", "#1", "五", "#1", "G", "#4"]
    assert lines[2].split()[1:3] == ["ni2", "hao3"]
    assert "W AY1 . F AY0" in lines[2]
    assert lines[3].split() == ["from", "5"]
    assert lines[4].startswith("symbols  {n_c$tone2$s_begin$word_begin$emotion_neutral$F7}")
    assert "U+1F600" in lines[5]


def test_json_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["你好。世界", "--json", "--speaker", "M7", "--emotion", "happy"]) == 0
    reply = json.loads(capsys.readouterr().out)
    assert reply["version"] == 1
    first, second = reply["sentences"]
    assert first["text"] == "你好。"
    assert first["words"] == [
        {
            "text": "你好",
            "pinyin": ["ni2", "hao3"],
            "break_after": 4,
            "span": [0, 2],
            "spans": [[0, 1], [1, 2]],
        }
    ]
    assert first["notes"] == []
    assert second["symbols"][0] == "{sh_c$tone4$s_begin$word_begin$emotion_happy$M7}"


def test_what_a_word_was_made_of_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["门票 ¥99.5，好"]) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("from")]
    assert set(row.split()) == {"from", "¥99.5"}


def test_lexicons_are_read_and_the_last_wins(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("六安,liu4 an1\n台,tai1\n", encoding="utf-8")
    second.write_text("六安,lu4 an1\n", encoding="utf-8")
    assert main(["六安台", "--json", "--lexicon", str(first), "--lexicon", str(second)]) == 0
    (sentence,) = json.loads(capsys.readouterr().out)["sentences"]
    assert [p for word in sentence["words"] for p in word["pinyin"]] == ["lu4", "an1", "tai1"]
    assert main(["好", "--lexicon", str(tmp_path / "c.csv")]) == 2
    assert "[lexicon_not_found]" in capsys.readouterr().err


def test_ssml(capsys: pytest.CaptureFixture[str]) -> None:
    text = "<speak>去<sub alias='机场'>PVG</sub></speak>"
    assert main([text, "--ssml", "--json"]) == 0
    (sentence,) = json.loads(capsys.readouterr().out)["sentences"]
    assert sentence["text"] == "去机场"
    assert [text[slice(*word["span"])] for word in sentence["words"]] == ["去", "PVG"]
    assert main(["<speak>去<b/></speak>", "--ssml"]) == 2
    assert "line 1, column 9: <b> is not understood" in capsys.readouterr().err


def test_a_long_sentence_is_shown_with_a_break_where_it_is_cut(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["今天天气真好" * 30, "--json"]) == 0
    (sentence,) = json.loads(capsys.readouterr().out)["sentences"]
    breaks = [word["break_after"] for word in sentence["words"]]
    assert breaks.count(4) == 3
    assert sum(symbol.startswith("{#4$") for symbol in sentence["symbols"]) == 3


def test_symbols_only_from_stdin(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("你\n好\n".encode() + b"\xff")))
    assert main(["-", "--symbols"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("{") and line.endswith("$F7}") for line in lines)


def test_error_names_code_and_cure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["😀 "]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "[text_empty]" in captured.err
    assert "send at least one character" in captured.err


def test_a_table_of_spans(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["门票\n¥99.5，WiFi😀\u200d", "--spans"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["span", "text", "read", "as", "pinyin", "phones"]
    assert lines[2][:4] == ["3-8", "¥99.5", "九十九点五元", "jiu3"]
    assert lines[2][-2:] == ["y_c$tone2", "van_c$tone2"]
    assert lines[3][:7] == ["9-13", "WiFi", "WiFi", "W", "AY1", ".", "F"]
    assert lines[4] == ["13-15", "😀U+200D", "-", "emoji_left_out"]


def test_spans_and_what_is_left_out_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["2.5😀", "--json"]) == 0
    reply = json.loads(capsys.readouterr().out)
    (row,) = reply["spans"]
    assert (row["start"], row["end"], row["text"], row["read_as"]) == (0, 3, "2.5", "二点五")
    assert row["pinyin"] == ["er4", "dian2", "wu3"]
    assert row["phones"][:2] == ["ge$tone4", "er_c$tone4"]
    assert reply["unread"] == [{"code": "emoji_left_out", "text": "😀", "start": 3, "end": 4}]


def test_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["😀，见www.a.cn", "--emoji", "name", "--links", "name", "--json"]) == 0
    reply = json.loads(capsys.readouterr().out)
    assert reply["sentences"][0]["text"] == "嘿嘿，见网址"
