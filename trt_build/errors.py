"""What can go wrong on the way from graphs to engines, told to people.

BuildError (`code` for programs, the message names the cure):
    platform_unsupported  NVIDIA publishes no TensorRT-RTX for this machine or Python
    folder_taken          the folder for TensorRT-RTX holds something else
    download_offline      PyPI cannot be reached
    download_failed       PyPI answered, but not with the files that are pinned here
    library_missing       TensorRT-RTX has not been fetched
    library_broken        what was fetched cannot be loaded
    graph_unreadable      a file is no ONNX graph
    rule_broken           a graph breaks a rule of trt_build/rules.py
    dimension_unknown     a graph has a dynamic dimension whose range nobody states
    graph_refused         TensorRT's parser does not take a graph
    build_failed          TensorRT takes the graph but cannot build it
    prove_missing         a package that the audio gate measures with is not installed
    not_comparable        two sets of utterances that the audio gate cannot compare
    tape_ended            FP32 speaks more than the candidate whose pace it keeps
    candidate_unknown     a candidate for a graph that voices do not have
    cannot_write          a report, picture or wave may not be written where it should go
"""

from __future__ import annotations


class BuildError(Exception):
    """A graph cannot be built; the message says what to do about it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
