"""Stands in for the package tensorrt where it is not: the names that we call, as in 11.0, and a record of the calls."""

import ctypes
import math
from typing import Any, ClassVar

import numpy as np

__version__ = "11.0.0"


class ILogger:
    INTERNAL_ERROR, ERROR, WARNING = range(3)

    def __init__(self) -> None:
        """As the bindings want it called."""


class NetworkDefinitionCreationFlag:
    STRONGLY_TYPED = 0


class BuilderFlag:
    TF32 = "TF32"


class ParserError:
    def desc(self) -> str:
        return "no such operator"


class OnnxParser:
    def __init__(self, network: dict[str, Any], logger: ILogger) -> None:
        self.network = network

    def parse(self, model: bytes) -> bool:
        self.network["model"] = bytes(model)
        return bool(self.network["model"])

    def get_error(self, index: int) -> ParserError:
        return ParserError()


class Profile:
    def set_shape(self, input: str, min: tuple[int, ...], opt: tuple[int, ...], max: tuple[int, ...]) -> None:
        self.shapes = (input, min, opt, max)


class TimingCache:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def serialize(self) -> bytes:
        return self.data + b"t"


class BuilderConfig:
    def __init__(self) -> None:
        self.flags = {BuilderFlag.TF32}
        self.profiles: list[Profile] = []

    def clear_flag(self, flag: str) -> None:
        self.flags.remove(flag)

    def add_optimization_profile(self, profile: Profile) -> int:
        self.profiles.append(profile)
        return len(self.profiles) - 1

    def create_timing_cache(self, serialized_timing_cache: bytes) -> TimingCache:
        return TimingCache(serialized_timing_cache)

    def set_timing_cache(self, cache: TimingCache, ignore_mismatch: bool) -> bool:
        self.cache = cache
        return not cache.data.startswith(b"of another GPU")


class Builder:
    built: ClassVar[list[BuilderConfig]] = []
    fails: ClassVar[bool] = False

    def __init__(self, logger: Any) -> None:
        self.logger = logger

    def create_network(self, flags: int) -> dict[str, Any]:
        return {"flags": flags}

    def create_builder_config(self) -> BuilderConfig:
        return BuilderConfig()

    def create_optimization_profile(self) -> Profile:
        return Profile()

    def build_serialized_network(self, network: dict[str, Any], config: BuilderConfig) -> bytes | None:
        assert network["flags"] == 1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED
        self.built.append(config)
        if self.fails:
            self.logger.log(ILogger.WARNING, "slow")
            self.logger.log(ILogger.ERROR, "out of\nmemory")
            return None
        return b"engine of " + network["model"]


class ExecutionContext:
    """Plays a network that repeats every pixel four times each way."""

    fails: ClassVar[bool] = False

    def __init__(self, logger: Any) -> None:
        self.logger = logger
        self.addresses: dict[str, int] = {}

    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
        self.profile = profile_index
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.shape = shape
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        n, channels, height, width = self.shape
        return self.shape if name == "lr" else (n, channels, 4 * height, 4 * width)

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self.addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        if self.fails:
            self.logger.log(ILogger.ERROR, "OutOfMemory (no further information)")
            return False
        lr, sr = (self._array(name) for name in ("lr", "sr"))
        sr[:] = lr.repeat(4, axis=2).repeat(4, axis=3)
        return True

    def _array(self, name: str) -> np.ndarray:
        shape = self.get_tensor_shape(name)
        memory = (ctypes.c_float * math.prod(shape)).from_address(self.addresses[name])
        return np.frombuffer(memory, np.float32).reshape(shape)


class CudaEngine:
    def __init__(self, logger: Any, profiles: list[Profile]) -> None:
        self.logger, self.profiles = logger, profiles

    @property
    def num_optimization_profiles(self) -> int:
        return len(self.profiles)

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[tuple[int, ...]]:
        return list(self.profiles[profile_index].shapes[1:])

    def create_execution_context(self) -> ExecutionContext:
        return ExecutionContext(self.logger)


class Runtime:
    """Reads the engines of this process, whose profiles are those of the last one that was built."""

    def __init__(self, logger: Any) -> None:
        self.logger = logger

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> CudaEngine | None:
        here = serialized_engine.startswith(b"engine of ")
        return CudaEngine(self.logger, Builder.built[-1].profiles) if here else None
