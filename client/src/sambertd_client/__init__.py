"""Client of sambertd, the resident Mandarin voice."""

from .client import Client
from .errors import NoDaemonError, RefusedError, ReplyError, SambertdError, SpeechError
from .subscription import Subscription
from .utterance import Utterance
from .wav import WavWriter

__all__ = [
    "Client",
    "NoDaemonError",
    "RefusedError",
    "ReplyError",
    "SambertdError",
    "SpeechError",
    "Subscription",
    "Utterance",
    "WavWriter",
]
