"""What of a text is not said is told in `done`, with its place in the caller's own text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sambertd_client import Client, SpeechError, cli

from daemon.warned import MOST, Warnings
from engines.text.sentence import Unread
from tests.daemon.live import LiveDaemon, served
from tests.daemon.tone import CHUNK, UNREAD

VOICES = Path(__file__).resolve().parents[2] / "voices"


def places(client: Client, text: str) -> list[tuple[str, int | None, int | None]]:
    done = client.say(text, sink="none").wait()
    return [(warning.code, warning.start, warning.end) for warning in done.warnings]


def test_what_is_left_out_is_told_with_its_place(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as client:
        assert places(client, "好好") == []
        code = "character_unreadable"
        assert places(client, f"好{UNREAD}好{UNREAD}") == [(code, 1, 2), (code, 3, 4)]
        (first, _) = client.say(f"好{UNREAD}好{UNREAD}", sink="none").wait().warnings
        assert first.text.startswith(f"'{UNREAD}', characters 1 to 2, is left out")
        assert "warnings" in client.hello().capabilities


def test_text_in_pieces_that_cannot_be_read_does_not_end_the_rest(daemon: LiveDaemon) -> None:
    texts = ["好好。", f"{UNREAD}{UNREAD}。", f"好{UNREAD}好。"]
    with Client(daemon.endpoint) as client:
        spoken = client.say("", more=True)
        assert len(b"".join(spoken.stream(texts))) == 2 * CHUNK * 6
        assert spoken.done is not None
        whole = "".join(texts)
        lost = [whole[slice(w.start, w.end)] for w in spoken.done.warnings]
        assert lost == [f"{UNREAD}{UNREAD}。", UNREAD]
        with pytest.raises(SpeechError) as caught:
            client.say(UNREAD).read()
        assert caught.value.code == "text_unreadable"


def test_a_text_full_of_them_is_told_in_bounds(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as client:
        warnings = client.say(f"好{UNREAD}" * 200, sink="none").wait().warnings
    assert len(warnings) == MOST
    assert warnings[-1].code == "more_warnings"
    assert warnings[-1].text.startswith(f"{200 - MOST + 1} more")


@pytest.mark.parametrize("count", [0, 1, MOST - 1, MOST, 3 * MOST])
@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_none_is_forgotten(count: int, at_once: int) -> None:
    warnings = Warnings()
    unread = [Unread("emoji_left_out", "x" * 99, n, n + 1) for n in range(count)]
    for first in range(0, count, at_once):
        warnings.take(unread[first : first + at_once], 5)
    told = warnings.told()
    assert len(told) <= MOST
    assert [one.start for one in told if one.start is not None] == [
        n + 5 for n in range(min(count, MOST - 1))
    ]
    more = int(told[-1].text.split()[0]) if count >= MOST else 0
    assert len(told) - bool(more) + more == count
    assert all(len(one.text) < 250 for one in told)


def test_the_built_in_voice_and_its_english(folder: Path) -> None:
    with served(VOICES, folder) as endpoint, Client(endpoint, timeout=20) as client:
        text = "你好😀，Привет，用WiFi，行{hang9}。再见タ"
        done = client.say(text, sink="none").wait()
        found = {w.code: text[slice(w.start, w.end)] for w in done.warnings}
        assert found["emoji_left_out"] == "😀"
        assert found["english_as_mandarin"] == "WiFi"
        lost = [text[slice(w.start, w.end)] for w in done.warnings if "unread" in w.code]
        assert lost[0] == "Привет"
        assert lost[-1] == "タ"
        for _ in range(2):
            again = client.say(text, sink="none").wait().warnings
            assert again == [w for w in done.warnings if w.code != "english_as_mandarin"]
        assert client.say("用WiFi", sink="none").wait().warnings == [], "of a voice's English once"
        ssml = "<speak>好<s>😀好</s></speak>"
        (told,) = client.say(ssml, markup="ssml", sink="none").wait().warnings
        assert ssml[slice(told.start, told.end)] == "😀"


def test_the_command_line(
    daemon: LiveDaemon, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    where = ["--endpoint", daemon.endpoint, "--out", f"{tmp_path}/a.wav"]
    assert cli.main(["say", f"好{UNREAD}", *where]) == 0
    assert (
        f"sambertctl: warning: '{UNREAD}', characters 1 to 2, is left out" in capfd.readouterr().err
    )
    assert cli.main(["say", f"好{UNREAD}", "--json", *where]) == 0
    (warning,) = json.loads(capfd.readouterr().out)["warnings"]
    assert (warning["code"], warning["start"]) == ("character_unreadable", 1)
