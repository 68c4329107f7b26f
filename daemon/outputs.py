"""The devices of the settings, in their order: the first that opens is the speaker."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

from daemon import null_sink
from daemon.config import SpeakerConfig
from daemon.device import (
    NoPortAudioError,
    SpeakerError,
    find_device,
    find_rate,
    portaudio,
    rescan,
)
from daemon.sound_faults import explain


class Source(Protocol):
    """Where a device gets its samples."""

    def prepare(self, rate: int) -> None:
        """A device of `rate` Hz starts now."""

    def fill(self, outdata: Any, frames: int, time: Any, status: Any, /) -> None:
        """sounddevice's callback: int16 samples, `frames` of each channel."""


@dataclass(frozen=True, slots=True)
class Output:
    """An open device: its stream runs."""

    stream: Any
    name: str
    rate: int  # Hz
    place: int  # in the order of the settings; 0 is the wanted one

    @property
    def silent(self) -> bool:
        """Whether nobody hears it."""
        return isinstance(self.stream, null_sink.NullStream)

    def shut(self) -> None:
        """Stop at once; the callback does not run any more."""
        self.stream.abort(ignore_errors=True)
        self.stream.close(ignore_errors=True)


class Outputs:
    """Opens them; `finished` is called, by any thread, when a stream ends by itself."""

    def __init__(self, config: SpeakerConfig, source: Source, finished: Callable[[], None]) -> None:
        self._config = config
        self._order = (config.device, *config.fallback)
        self._source = source
        self._finished = finished
        self._backend: Any = None

    def open(
        self, rate: int, *, only_first: bool = False, but: Collection[int] = frozenset()
    ) -> Output:
        """The first that opens, at `rate` Hz if it takes that. but: places that are passed over.

        Raises SpeakerError, or NoPortAudioError where no later try can do better.
        """
        errors = []
        places = list(enumerate(self._order))
        wanted = places[:1] if only_first else [one for one in places if one[0] not in but]
        if not wanted:
            raise SpeakerError("there is no other sound card")
        for place, name in wanted:
            try:
                return self._open(place, name, rate)
            except SpeakerError as error:
                errors.append(error)
        told = "; ".join(dict.fromkeys(str(error) for error in errors))
        if all(isinstance(error, NoPortAudioError) for error in errors) and not only_first:
            raise NoPortAudioError(told) from errors[0]
        raise SpeakerError(told) from errors[0]

    def rescan(self) -> None:
        """Look for devices again; no stream may be open."""
        if self._backend is not None:
            rescan(self._backend)

    def _open(self, place: int, name: str, rate: int) -> Output:
        if name == null_sink.NAME:
            stream: Any = null_sink.NullStream(rate, self._source.fill, self._finished)
            return self._started(Output(stream, name, rate, place), ())
        self._backend = backend = self._backend or portaudio()
        device = find_device(backend, name)
        channels = min(self._config.channels, device["max_output_channels"])
        rate = find_rate(backend, device, rate, channels)
        try:
            stream = backend.RawOutputStream(
                samplerate=rate,
                device=device["index"],
                channels=channels,
                dtype="int16",
                latency=self._config.latency_s,
                blocksize=0,
                callback=self._source.fill,
                finished_callback=self._finished,
            )
        except backend.PortAudioError as error:
            raise SpeakerError(f"cannot open {device['name']!r}: {explain(error)}") from error
        return self._started(Output(stream, device["name"], rate, place), backend.PortAudioError)

    def _started(self, output: Output, errors: Any) -> Output:
        self._source.prepare(output.rate)
        try:
            output.stream.start()
        except errors as error:
            output.shut()
            raise SpeakerError(f"cannot start {output.name!r}: {explain(error)}") from error
        return output
