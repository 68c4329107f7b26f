"""Speaks what a language model writes, sentence by sentence, while it still writes.

    some-model | python llm_stream.py | aplay -q -t raw -f S16_LE -r 16000

Standard input is read in pieces, wherever they end; 16-bit PCM goes to standard output.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import sys
import time
from collections.abc import AsyncIterator

from sambertd_client import AsyncClient


async def pieces() -> AsyncIterator[str]:
    """Text as it comes; a model's own stream would stand here."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while data := await asyncio.to_thread(os.read, sys.stdin.fileno(), 4096):
        yield decoder.decode(data)


async def main() -> None:
    began, first_s, size = time.monotonic(), None, 0
    async with AsyncClient() as voice:
        async for pcm in voice.stream(pieces()):
            if first_s is None:
                first_s = time.monotonic() - began
                print(f"speaks after {first_s:.2f} s", file=sys.stderr, flush=True)
            await asyncio.to_thread(sys.stdout.buffer.write, pcm)
            size += len(pcm)
    print(f"{size} bytes of PCM in {time.monotonic() - began:.2f} s", file=sys.stderr)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except BrokenPipeError:  # nobody listens any more; the daemon was told
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left goes there
        sys.exit(141)
