"""NVIDIA's driver library through ctypes: what is asked before pycuda loads, and what it lacks."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint, c_ulonglong, c_void_p
from typing import Any

LIBRARY = "libcuda.so.1"
NOT_THERE = -1  # stands for the code of a function that an old driver lacks
# One ABI from CUDA 11.4 to 13 (cuda.h).
SIGNATURES: dict[str, tuple[Any, ...]] = {
    "cuInit": (c_uint,),
    "cuDriverGetVersion": (POINTER(c_int),),
    "cuDeviceGetCount": (POINTER(c_int),),
    "cuDeviceGet": (POINTER(c_int), c_int),
    "cuDeviceGetName": (c_char_p, c_int, c_int),
    "cuDeviceTotalMem_v2": (POINTER(c_size_t), c_int),
    "cuDeviceGetAttribute": (POINTER(c_int), c_int, c_int),
    "cuGetErrorName": (c_int, POINTER(c_char_p)),
    "cuStreamBeginCapture_v2": (c_void_p, c_int),
    "cuStreamEndCapture": (c_void_p, POINTER(c_void_p)),
    "cuGraphInstantiateWithFlags": (POINTER(c_void_p), c_void_p, c_ulonglong),
    "cuGraphLaunch": (c_void_p, c_void_p),
    "cuGraphExecDestroy": (c_void_p,),
    "cuGraphDestroy": (c_void_p,),
}


class DriverError(Exception):
    """A call of the driver failed. code: CUresult of cuda.h, or NOT_THERE."""

    def __init__(self, function: str, code: int, name: str) -> None:
        super().__init__(f"{function}: {name} ({code})")
        self.code = code


class Driver:
    """The functions of SIGNATURES, which raise what they would return."""

    def __init__(self, library: Any = None) -> None:
        """library: another than the installed one.

        Raises:
            OSError: no driver is installed.
        """
        self._library = ctypes.CDLL(LIBRARY) if library is None else library

    def call(self, name: str, *args: Any) -> None:
        """Call a function by name.

        Raises:
            DriverError: it says that it failed, or this driver does not have it.
        """
        function = self._function(name)
        if function is None:
            raise DriverError(name, NOT_THERE, "this driver is too old for it")
        code = function(*args)
        if code:
            raise DriverError(name, code, self._error(code))

    def _function(self, name: str) -> Any:
        function = getattr(self._library, name, None)
        if function is not None:
            function.argtypes, function.restype = SIGNATURES[name], c_int
        return function

    def _error(self, code: int) -> str:
        """The name cuda.h has for an error."""
        told = c_char_p()
        function = self._function("cuGetErrorName")
        if function is None or function(code, ctypes.byref(told)) or not told.value:
            return "unknown error"
        return told.value.decode("ascii", "replace")
