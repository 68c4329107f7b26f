"""ONNX Runtime, which tells nobody about this machine. Import it from here, nowhere else.

Its wheels (1.32) write a device id and a queue of events into ~/.cache/Microsoft as soon as they
are imported, and ask the network for their maker's host; the variable is read at that moment.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

__all__ = ["ort"]
