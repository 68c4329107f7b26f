"""What a person sees: progress on one line and colour on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time


class Progress:
    """Says on stderr what is going on; nothing at all when `quiet`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._live = sys.stderr.isatty()
        self._began = time.monotonic()
        self._shown = ""

    def tell(self, text: str) -> None:
        """The step at hand; on a terminal it replaces the last one and shows the seconds."""
        if self._quiet or (text == self._shown and not self._live):
            return
        self._shown = text
        if self._live:
            seconds = time.monotonic() - self._began
            sys.stderr.write(f"\r\033[K\033[2m{text} ({seconds:.1f} s)\033[0m")
        else:
            sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def clear(self) -> None:
        if self._live and self._shown and not self._quiet:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
        self._shown = ""

    def warn(self, text: str) -> None:
        self.clear()
        print(f"\033[33m{text}\033[0m" if self._live else text, file=sys.stderr)


def flush() -> None:
    """Raises BrokenPipeError where nobody reads what was printed."""
    if sys.stdout is not None:
        sys.stdout.flush()


def let_go() -> None:
    """What is still printed, at the process's end too, goes nowhere."""
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def fail(text: str) -> None:
    """An error, on stderr."""
    red = "\033[31m{}\033[0m" if sys.stderr.isatty() else "{}"
    print(red.format(f"sambertctl: {text}"), file=sys.stderr)
