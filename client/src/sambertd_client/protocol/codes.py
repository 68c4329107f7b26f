"""What the protocol fixes: its versions, its limits, and the codes of its errors."""

from __future__ import annotations

from typing import Literal

PROTOCOL_MIN = 1
PROTOCOL_MAX = 1
MAX_FRAME_BYTES = 65536  # of a request; a larger frame makes the daemon drop the connection
MAX_CREDIT = 1024
FORMAT: Literal["pcm_s16le"] = "pcm_s16le"
PREFETCH_TEXTS = 1000  # in one `prefetch`
MIN_RATE, MAX_RATE = 8000, 48000  # Hz, of what `say` may ask for

# Codes of `error` and of `done` with why="error". Voices may add codes of their own.
BAD_FRAMES = "bad_frames"
UNDECODABLE = "undecodable"
UNSUPPORTED_VERSION = "unsupported_version"
UNKNOWN_TYPE = "unknown_type"
BAD_FIELD = "bad_field"
BAD_CONFIG = "bad_config"
DUPLICATE_ID = "duplicate_id"
UNKNOWN_VOICE = "unknown_voice"
VOICE_NEEDED = "voice_needed"
UNKNOWN_SPEAKER = "unknown_speaker"
UNKNOWN_EMOTION = "unknown_emotion"
TEXT_EMPTY = "text_empty"
TEXT_UNREADABLE = "text_unreadable"
TEXT_TOO_LONG = "text_too_long"
TEXT_STALLED = "text_stalled"
NOT_OPEN = "not_open"
NO_CACHE = "no_cache"
NOT_READY = "not_ready"
BUSY = "busy"
NOT_ALLOWED = "not_allowed"
RATE_LIMITED = "rate_limited"
SHUTTING_DOWN = "shutting_down"
SPEAKER_UNAVAILABLE = "speaker_unavailable"
DEADLINE_PASSED = "deadline_passed"
CLIENT_STALLED = "client_stalled"
INTERNAL = "internal"
