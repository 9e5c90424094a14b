"""What no bundle may hold: files that an engine would run as machine code, or Python as Python.

Engines of TensorRT and packages of AOTInductor are such. They are built on the user's own machine, never downloaded.
"""

import io
import zipfile

SUFFIXES = (
    *(".so", ".dylib", ".dll", ".pyd", ".exe"),
    *(".pt2", ".engine", ".plan", ".trt"),
    *(".pt", ".pth", ".pkl", ".pickle", ".py", ".pyc", ".sh"),
)
"""Of native libraries, of compiled networks, and of what holds Python objects or code."""

_MAGIC = {
    b"\x7fELF": "a native library",
    b"MZ": "a native library",
    b"\xfe\xed\xfa\xce": "a native library",
    b"\xfe\xed\xfa\xcf": "a native library",
    b"\xce\xfa\xed\xfe": "a native library",
    b"\xcf\xfa\xed\xfe": "a native library",
    b"\xca\xfe\xba\xbe": "a native library",
    b"ftrt": "a TensorRT engine",
    b"ptrt": "a TensorRT engine",
    b"\x80\x02": "a pickle",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
}
_ZIP = b"PK\x03\x04"


def is_native_name(name: str) -> bool:
    """Whether a file of this name would hold code.

    >>> is_native_name("mobile.int8.pt2"), is_native_name("mobile.trt.onnx")
    (True, False)
    """
    return name.lower().endswith(SUFFIXES)


def native_content(data: bytes) -> str | None:
    """What kind of code a file holds, in words, whatever its name says; also inside a zip. None if none is known."""
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            return kind
    if not data.startswith(_ZIP):
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            name = next(filter(is_native_name, archive.namelist()), None)
    except zipfile.BadZipFile:
        return None
    return f"code ({name[:60]!r})" if name else None
