"""`sambertd` whose utterances take their decoder steps one by one: what batching is measured by.

Same arguments as `python -m daemon`. No setting turns batches off, as nobody would want to.
"""

from __future__ import annotations

import runpy
from functools import partial
from unittest import mock

import engines.voice

if __name__ == "__main__":
    apart = partial(engines.voice.RuntimeOptions, batching=False)
    with mock.patch.object(engines.voice, "RuntimeOptions", apart):
        runpy.run_module("daemon", run_name="__main__", alter_sys=True)
