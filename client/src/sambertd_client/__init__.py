"""Client of sambertd, the resident Mandarin voice."""

from .client import Client
from .errors import (
    KeyFileError,
    NoDaemonError,
    RefusedError,
    ReplyError,
    SambertdError,
    SpeechError,
)
from .subscription import Subscription
from .utterance import Utterance
from .wav import WavWriter

__all__ = [
    "Client",
    "KeyFileError",
    "NoDaemonError",
    "RefusedError",
    "ReplyError",
    "SambertdError",
    "SpeechError",
    "Subscription",
    "Utterance",
    "WavWriter",
]
