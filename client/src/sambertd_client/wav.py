"""WAV files written while the audio arrives, to a file or to a pipe."""

from __future__ import annotations

import struct
import sys
from typing import BinaryIO

from .closing import Closing

UNKNOWN_SIZE = 0xFFFFFFFF  # what a pipe gets, as sox and ffmpeg do


def wav_header(rate: int, data_bytes: int | None) -> bytes:
    """The 44 bytes before 16-bit mono PCM at `rate` Hz; None: the length is not known yet."""
    riff = UNKNOWN_SIZE if data_bytes is None else data_bytes + 36
    data = UNKNOWN_SIZE if data_bytes is None else data_bytes
    layout = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    return b"".join((struct.pack("<4sI4s", b"RIFF", riff, b"WAVE"), layout, b"data", _u32(data)))


class WavWriter(Closing):
    """Writes 16-bit mono PCM to `path` as it comes; "-" is standard output.

    The file is opened by the first `write`, so that a refused request leaves an older file alone.
    Raises OSError where the path cannot be written.
    """

    def __init__(self, path: str, rate: int, *, raw: bool = False) -> None:
        """raw: the samples alone, without the header."""
        self.path, self._raw = path, raw
        self._rate = rate
        self._file: BinaryIO | None = None
        self.written = 0  # bytes of PCM

    def write(self, pcm: bytes) -> None:
        if self._file is None:
            self._file = sys.stdout.buffer if self.path == "-" else open(self.path, "wb")  # noqa: SIM115
            if not self._raw:
                self._file.write(wav_header(self._rate, None))
        self._file.write(pcm)
        self.written += len(pcm)
        if self.path == "-":
            self._file.flush()  # who reads may play it now

    def close(self) -> None:
        """Put the true length into the header where the file can be rewound."""
        if self._file is None:
            return
        if self._file.seekable() and self.path != "-" and not self._raw:
            self._file.seek(0)
            self._file.write(wav_header(self._rate, self.written))
        self._file.flush()
        if self.path != "-":
            self._file.close()
        self._file = None


def _u32(value: int) -> bytes:
    return struct.pack("<I", value)
