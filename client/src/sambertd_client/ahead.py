"""The course of a prefetch, without IO: texts in requests that the wire can carry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from . import protocol as wire
from .errors import NoDaemonError, RefusedError
from .line import Line
from .steps import Steps
from .wishes import Manner

ROOM = wire.MAX_FRAME_BYTES - 2048  # bytes of the texts of one request
Told = Callable[[wire.Prefetching], None]


def batches(texts: Sequence[str], room: int = ROOM) -> Iterator[list[str]]:
    """The texts in their order, as many at once as one request takes of `room` bytes."""
    batch: list[str] = []
    size = 0
    for text in texts:
        more = _size(text) + 5  # msgpack's own
        if batch and (size + more > room or len(batch) == wire.PREFETCH_TEXTS):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += more
    if batch:
        yield batch


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))  # what is no UTF-8 is refused when it is sent


def prefetch(
    line: Line, texts: Sequence[str], manner: Manner, told: Told | None
) -> Steps[wire.Prefetched]:
    """Until all of them are ready or cannot be. told: how far it is, of all texts.

    What becomes of all requests as if they were one; `index` counts in `texts`.

    Raises RefusedError, also where the daemon ends it; NoDaemonError.
    """
    whole, first = wire.Prefetched(id=line.new_id(), why="end"), 0
    words = sum(_size(word + said) + 8 for word, said in manner.get("lexicon", {}).items())
    for batch in batches(texts, ROOM - words):
        base = wire.Prefetching(
            id=whole.id,
            texts=len(texts),
            done=first,
            made=whole.made,
            known=whole.known,
            instance="",
        )
        part = yield from _one(line, batch, manner, base, told)
        moved = [msgspec.structs.replace(one, index=one.index + first) for one in part.failures]
        whole = wire.Prefetched(
            id=part.id,
            why=part.why,
            made=whole.made + part.made,
            known=whole.known + part.known,
            failures=whole.failures + moved,
        )
        first += len(batch)
        if part.why != "end":
            break
    return whole


def _one(
    line: Line, texts: list[str], manner: Manner, base: wire.Prefetching, told: Told | None
) -> Steps[wire.Prefetched]:
    """One request; it is cancelled where nobody waits for its end any more."""
    fields: dict[str, Any] = {**manner, "lexicon": dict(manner.get("lexicon", {}))}
    request = wire.Prefetch(id=line.new_id(), texts=texts, **fields)
    settled = False
    try:
        reply: wire.Reply = yield from line.ask(request, wire.Prefetching, keep=True)
        instance = reply.instance if isinstance(reply, wire.Prefetching) else ""
        while not isinstance(reply, wire.Prefetched):
            if told is not None and isinstance(reply, wire.Prefetching):
                told(_added(base, reply))
            yield from line.listen(request.id, instance, line.timeout)
            reply, _ = line.inboxes[request.id].popleft()
        settled = True
    except RefusedError:
        settled = True
        raise
    finally:
        line.forget(request.id)
        if not settled:
            with suppress(NoDaemonError):
                line.send(wire.Cancel(id=line.new_id(), target=request.id))
    if reply.why == "error":
        text = reply.text or "the daemon gave no reason"
        raise RefusedError(wire.Error(id=reply.id, code=reply.code or wire.INTERNAL, text=text))
    return reply


def _added(base: wire.Prefetching, part: wire.Prefetching) -> wire.Prefetching:
    """Progress of one request, after those before it."""
    return msgspec.structs.replace(
        base,
        done=base.done + part.done,
        made=base.made + part.made,
        known=base.known + part.known,
        instance=part.instance,
    )
