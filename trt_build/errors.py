"""What can go wrong on the way from graphs to engines, told to people.

BuildError (`code` for programs, the message names the cure):
    platform_unsupported  NVIDIA publishes no TensorRT-RTX for this machine or Python
    folder_taken          the folder for TensorRT-RTX holds something else
    folder_unwritable     the folder for TensorRT-RTX cannot be written, or the disk is full
    download_offline      PyPI cannot be reached
    download_failed       PyPI answered, but not with the files that are pinned here
    library_missing       TensorRT-RTX has not been fetched
    library_broken        what was fetched cannot be loaded
    graph_unreadable      a file is no ONNX graph
    rule_broken           a graph breaks a rule of trt_build/rules.py
    dimension_unknown     a graph has a dynamic dimension whose range nobody states
    graph_refused         TensorRT's parser does not take a graph
    build_failed          TensorRT takes the graph but cannot build it
"""

from __future__ import annotations


class BuildError(Exception):
    """A graph cannot be built; the message says what to do about it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
