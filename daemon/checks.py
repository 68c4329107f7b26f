"""Whether a `say` can be met, and by which voice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sambertd_client import protocol as wire

from daemon.config import Limits
from daemon.markup import spoken_chars
from daemon.playback import LOST_GRACE_S, Speaker
from daemon.reports import Life
from daemon.scheduler import RefusedError
from daemon.speaking_voice import SpeakingVoice
from daemon.voices import Shelf
from engines.errors import LexiconError
from engines.text.lexicon import Entry, Lexicon

LOADING_S = 1.0  # after which somebody may ask again


def check(
    say: wire.Say, life: Life, limits: Limits, shelf: Shelf, speaker: Speaker
) -> SpeakingVoice:
    """The voice for a request that can be met. Raises RefusedError."""
    check_state(life)
    if say.tone and (say.text or say.more or say.markup != "text"):
        text = "tone is in place of a text; send an empty one, and leave more and markup out"
        raise RefusedError(wire.BAD_FIELD, text)
    if not (say.text.strip() or say.more or say.tone):
        raise RefusedError(wire.TEXT_EMPTY, "there is no text to speak")
    if say.more and say.markup != "text":
        text = f"more is for plain text, and markup is {say.markup!r}; send all of it in one `say`"
        raise RefusedError(wire.BAD_FIELD, text)
    check_length(spoken_chars(say.text, say.markup), limits)
    voice = check_voice(say, shelf)
    if say.sink != "client" and (say.format != wire.FORMAT or say.rate is not None):
        text = f'format and rate are for sink "client", not {say.sink!r}; leave them out'
        raise RefusedError(wire.BAD_FIELD, text)
    if say.sink in ("speaker", "both") and (reason := speaker.missing_for(LOST_GRACE_S)):
        raise RefusedError(wire.SPEAKER_UNAVAILABLE, reason, speaker.retry_s)
    return voice


def check_state(life: Life) -> None:
    """Raises RefusedError where nothing can be spoken now."""
    if life.state == "loading":
        text = f"the daemon is {life.detail}; try again in a second"
        raise RefusedError(wire.NOT_READY, text, LOADING_S)
    if life.state == "stopping":
        raise RefusedError(wire.SHUTTING_DOWN, "the daemon is shutting down")


def check_voice(request: wire.Say | wire.Prefetch, shelf: Shelf) -> SpeakingVoice:
    """The voice that has the speaker and the emotion of a request. Raises RefusedError."""
    voices = shelf.voices
    voice = voices.get(request.voice) if request.voice else next(iter(voices.values()))
    if voice is None:
        raise unknown(wire.UNKNOWN_VOICE, "voice", request.voice, voices)
    if request.speaker is not None and request.speaker not in voice.info.speakers:
        raise unknown(wire.UNKNOWN_SPEAKER, "speaker", request.speaker, voice.info.speakers)
    if request.emotion not in voice.info.emotions:
        raise unknown(wire.UNKNOWN_EMOTION, "emotion", request.emotion, voice.info.emotions)
    return voice


def check_length(chars: int, limits: Limits) -> None:
    """Of the text that waits to be spoken. Raises RefusedError."""
    if chars > limits.text_chars:
        most = limits.text_chars
        text = f"the text has {chars} characters, at most {most} go in one request; split it"
        raise RefusedError(wire.TEXT_TOO_LONG, text)


def lexicon(readings: Mapping[str, str]) -> Lexicon | None:
    """The words of one request; None where it has none. Raises RefusedError."""
    try:
        entries = [Entry.of(word, pinyin) for word, pinyin in readings.items()]
    except LexiconError as error:
        raise RefusedError(error.code, f"lexicon: {error}") from error
    return Lexicon({entry.word: entry for entry in entries}) if entries else None


def unknown(code: str, kind: str, name: str | None, known: Iterable[str]) -> RefusedError:
    """The refusal of a name, with those there are."""
    return RefusedError(code, f"no {kind} {name!r}; choose of: {', '.join(known)}")
