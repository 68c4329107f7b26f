"""Client of sambertd, the resident Mandarin voice: `Client`, and `AsyncClient` for asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
from .wishes import Wishes

if TYPE_CHECKING:
    from .async_client import AsyncClient
    from .async_subscription import AsyncSubscription
    from .async_utterance import AsyncUtterance

__all__ = [
    "AsyncClient",
    "AsyncSubscription",
    "AsyncUtterance",
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
    "Wishes",
]


def __getattr__(name: str) -> Any:
    """Asyncio takes a while to import: only for who asks for it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import async_client

    return getattr(async_client, name)
