"""What the graphs of a voice are fed while it speaks: the input of calibration and of judging."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import product

from engines.errors import TextError
from engines.ort_session import OrtSession
from engines.pack import VoicePack
from engines.session import Array, Session
from engines.style import emotions
from engines.voice import RuntimeOptions, Style, Voice

Feeds = Mapping[str, Array]
Sink = Callable[[str, Feeds], None]


class Recorder:
    """A Session that hands the feeds of every call on before it runs them.

    They are the caller's own arrays: who keeps them must copy.
    """

    def __init__(self, graph: str, session: Session, sink: Sink) -> None:
        self._graph, self._session, self._sink = graph, session, sink

    @property
    def state_size(self) -> int:
        """Of the session inside."""
        return self._session.state_size

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """Hand on, run, return."""
        self._sink(self._graph, feeds)
        return self._session.run(feeds)


def styles(pack: VoicePack) -> list[Style]:
    """Every speaker in every emotion: ranges must hold for all of them."""
    file = pack.file
    return [Style(s, e) for s, e in product(file.symbols.speakers, emotions(file))]


class Speaker:
    """A real voice on ONNX Runtime that speaks text by text, its graphs' feeds going to a sink.

    Text number n is spoken in style n of `styles`, around and around. sink(graph, feeds) is called
    from two threads, but of one graph always from one at a time.
    """

    OPTIONS = RuntimeOptions(streams=1)

    def __init__(self, pack: VoicePack, graphs: Collection[str], sink: Sink) -> None:
        self._styles = styles(pack)
        threads = self.OPTIONS.threads
        recorders = {
            name: Recorder(name, OrtSession(pack.graphs[name], threads(name)), sink)
            for name in graphs
        }
        self._voice = Voice(pack, self.OPTIONS, recorders)
        self._rate = pack.file.sample_rate

    def speak(self, number: int, text: str) -> float:
        """Speak text number `number`; seconds of audio it gave, 0 if nothing in it can be spoken.

        Raises:
            EngineError: the voice is broken.
            Exception: whatever the sink raises.
        """
        style = self._styles[number % len(self._styles)]
        try:
            plan = self._voice.plan(text, style)
            chunks = self._voice.stream(plan)
            return sum(len(chunk.pcm) for chunk in chunks) / self._rate
        except TextError:
            return 0.0

    def close(self) -> None:
        """End the voice's threads."""
        self._voice.close()

    def __enter__(self) -> Speaker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def record(pack: VoicePack, texts: Iterable[str], graphs: Collection[str], sink: Sink) -> float:
    """Speak the texts, handing the feeds of these graphs on; seconds of audio in all.

    Raises:
        EngineError: the voice is broken.
    """
    with Speaker(pack, graphs, sink) as speaker:
        return sum(speaker.speak(number, text) for number, text in enumerate(texts))


def feeds(pack: VoicePack, texts: Iterable[str], graph: str) -> Iterator[dict[str, Array]]:
    """The feeds of one graph as a plain iterable; holds no more than one text's at a time.

    Raises:
        EngineError: the voice is broken.
    """
    held: list[dict[str, Array]] = []

    def keep(_: str, fed: Feeds) -> None:
        held.append({name: value.copy() for name, value in fed.items()})

    with Speaker(pack, (graph,), keep) as speaker:
        for number, text in enumerate(texts):
            speaker.speak(number, text)
            yield from held
            held.clear()
