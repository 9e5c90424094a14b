"""Reading a saved ``.mlpackage``: the program's operations and constants as they lie in the file."""

import contextlib
import io
import json
import logging
import struct
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from export.errors import ExportError

if TYPE_CHECKING:
    from coremltools.proto import MIL_pb2, Model_pb2

Constant = np.ndarray | str
Folder = Path | zipfile.Path
WEIGHTS = "@model_path/"
"""What stands in the program for the folder that its specification lies in."""

VERSION = 2
SENTINEL = 0xDEADBEEF
TYPES: dict[int, DTypeLike] = {1: np.float16, 2: np.float32, 3: np.uint8, 4: np.int8, 6: np.int16, 7: np.uint16}
"""Of the weight file, after ``MILBlob/Blob/StorageFormat.hpp`` of coremltools; all is little endian."""


@dataclass(frozen=True)
class Value:
    """What the file declares of a tensor."""

    name: str
    dtype: str
    """As the file calls it: FLOAT16, FLOAT32, INT8, INT32, BOOL, STRING."""
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Operation:
    """One operation; constants are none."""

    kind: str
    inputs: Mapping[str, tuple[str, ...]]
    """Names of tensors and of constants, by argument."""
    output: Value


@dataclass(frozen=True)
class Package:
    """A package's program, its constants, and how it describes itself."""

    path: Path
    opset: str
    inputs: tuple[Value, ...]
    outputs: tuple[str, ...]
    operations: tuple[Operation, ...]
    """In the order in which they are computed."""
    constants: Mapping[str, Constant]
    specification: "Model_pb2.Model"

    def constant(self, operation: Operation, argument: str) -> Constant | None:
        """An argument's constant, or None where the argument is not given or is computed."""
        names = operation.inputs.get(argument)
        return self.constants.get(names[0]) if names else None

    def of_kind(self, kind: str) -> list[Operation]:
        """The operations of one kind."""
        return [operation for operation in self.operations if operation.kind == kind]


@contextlib.contextmanager
def quiet_coremltools() -> Iterator[None]:
    """For importing and using it: its remarks on versions are nothing a user could mend, and its progress bars have no
    switch."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def read_package(path: Path) -> Package:
    """Read an ``.mlpackage`` folder, or a zip of one. Raises ``ExportError`` where it is not a whole ML program."""
    from google.protobuf.message import DecodeError

    try:
        with quiet_coremltools():
            return _read(path)
    except (OSError, KeyError, ValueError, StopIteration, DecodeError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:200]
        raise ExportError(f"{path}: not a whole .mlpackage of an ML program ({reason}); export it again") from error
    except ExportError as error:
        raise ExportError(f"{path}: {error}") from error


def read_tensor(blob: bytes, offset: int, shape: tuple[int, ...]) -> np.ndarray:
    """One tensor of a weight file, in which they lie behind one another.

    At the file's start is a header of 64 bytes (uint32 number of tensors, uint32 version); at a tensor's ``offset``,
    which the program gives, 64 bytes of metadata (uint32 sentinel, uint32 type, uint64 bytes, uint64 offset of the
    data). Raises ``ExportError`` where there is none of that shape.
    """
    try:
        _, version = struct.unpack_from("<II", blob)
        sentinel, kind, size, start = struct.unpack_from("<IIQQ", blob, offset)
        if (version, sentinel) != (VERSION, SENTINEL) or start + size > len(blob):
            raise ValueError
        return np.frombuffer(blob[start : start + size], np.dtype(TYPES[kind]).newbyteorder("<")).reshape(shape)
    except (struct.error, ValueError, KeyError) as error:
        raise ExportError(f"no tensor of shape {shape} at byte {offset} of its weights; export it again") from error


def _read(path: Path) -> Package:
    from coremltools.proto import Model_pb2

    data = _root(path) / "Data"
    items = json.loads((_root(path) / "Manifest.json").read_text(encoding="utf-8"))
    model = items["itemInfoEntries"][items["rootModelIdentifier"]]["path"]
    specification = Model_pb2.Model()
    specification.ParseFromString((data / model).read_bytes())
    main = specification.mlProgram.functions["main"]
    (block,) = main.block_specializations.values()
    reader = _Reader(data / str(Path(model).parent))
    operations = tuple(reader.operations(block))
    inputs = tuple(_value(each.name, each.type) for each in main.inputs)
    return Package(path, str(main.opset), inputs, tuple(block.outputs), operations, reader.constants, specification)


def _root(path: Path) -> Folder:
    if path.is_dir():
        return path
    archive = zipfile.Path(path)
    return next(each for each in archive.iterdir() if each.name.endswith(".mlpackage"))


class _Reader:
    """Collects the constants of a program while it goes through the operations."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.constants: dict[str, Constant] = {}
        self.blobs: dict[str, bytes] = {}

    def operations(self, block: "MIL_pb2.Block") -> Iterator[Operation]:
        for operation in block.operations:
            (output,) = operation.outputs
            if operation.type == "const":
                self.constants[output.name] = self._decode(operation.attributes["val"])
                continue
            inputs = {}
            for argument, given in operation.inputs.items():
                names = [self._name(binding, f"{output.name}.{argument}") for binding in given.arguments]
                inputs[argument] = tuple(names)
            for argument, value in operation.attributes.items():  # constexpr operations have their inputs here
                if argument != "name":
                    inputs[argument] = (self._keep(f"{output.name}.{argument}", value),)
            yield Operation(operation.type, inputs, _value(output.name, output.type))

    def _name(self, binding: Any, name: str) -> str:
        return binding.name or self._keep(name, binding.value)

    def _keep(self, name: str, value: "MIL_pb2.Value") -> str:
        self.constants[name] = self._decode(value)
        return name

    def _decode(self, value: "MIL_pb2.Value") -> Constant:
        declared = _value("", value.type)
        if value.WhichOneof("value") == "blobFileValue":
            found = read_tensor(self._blob(value.blobFileValue.fileName), value.blobFileValue.offset, declared.shape)
        else:
            tensor = value.immediateValue.tensor
            kind = tensor.WhichOneof("value")
            values = getattr(tensor, kind).values
            if kind == "strings":
                return str(values[0])
            numbers = np.frombuffer(values, declared.dtype.lower()) if kind == "bytes" else np.array(values)
            found = numbers.astype(declared.dtype.lower()).reshape(declared.shape)
        if found.dtype.name != declared.dtype.lower():
            raise ValueError(f"a constant declared {declared.dtype} is {found.dtype}")
        return found

    def _blob(self, name: str) -> bytes:
        if name not in self.blobs:
            self.blobs[name] = (self.folder / name.removeprefix(WEIGHTS)).read_bytes()
        return self.blobs[name]


def _value(name: str, kind: "MIL_pb2.ValueType") -> Value:
    from coremltools.proto import MIL_pb2

    tensor = kind.tensorType
    dtype = MIL_pb2.DataType.Name(tensor.dataType)
    return Value(name, dtype, tuple(int(each.constant.size) for each in tensor.dimensions))
