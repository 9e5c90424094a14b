"""Stands in for the package tensorrt where it is not: the names that we call, as in 11.0, and a record of the calls."""

from typing import Any, ClassVar

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
