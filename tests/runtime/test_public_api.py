"""What users hold on to: a change of it is one of this file, too, and so a deliberate one."""

import inspect
from collections.abc import Callable
from typing import get_type_hints

import runtime

NAMES = {
    "DEFAULT_BUNDLE",
    "BackendError",
    "BackendWarning",
    "Bundle",
    "BundleError",
    "Cancelled",
    "Options",
    "OutOfMemoryError",
    "PictureError",
    "PictureWarning",
    "SettingError",
    "Status",
    "TadsrError",
    "TileError",
    "Upscaler",
    "backends",
    "load",
    "read_bundle",
    "save_picture",
    "upscale",
}
OPTIONS = {"tile", "seam", "wrap", "scale", "size", "batch", "max_memory", "progress", "cancel"}
ENGINE = ["*, backend='auto'", "precision='auto'", "threads=None"]
FUNCTIONS: dict[str, tuple[Callable[..., object], list[str]]] = {
    "upscale": (runtime.upscale, ["image", "*, bundle=None", "backend='auto'", *ENGINE[1:], "**options"]),
    "load": (runtime.load, ["bundle=None", *ENGINE]),
    "backends": (runtime.backends, ["bundle=None"]),
    "read_bundle": (runtime.read_bundle, ["path"]),
    "save_picture": (runtime.save_picture, ["picture", "path", "*, quality=None"]),
    "Upscaler": (runtime.Upscaler, ["bundle", *ENGINE]),
    "Upscaler.__call__": (runtime.Upscaler.__call__, ["self", "image", "**options"]),
    "Upscaler.many": (runtime.Upscaler.many, ["self", "images", "**options"]),
    "Upscaler.to_file": (
        runtime.Upscaler.to_file,
        ["self", "source", "target", "*, strip_metadata=False", "quality=None", "**options"],
    ),
    "Upscaler.session": (runtime.Upscaler.session, ["self", "artifact"]),
    "Upscaler.warmup": (runtime.Upscaler.warmup, ["self"]),
    "Upscaler.close": (runtime.Upscaler.close, ["self"]),
}


def signature(function: Callable[..., object]) -> str:
    """Names, order, kinds and defaults of the parameters, without their types."""
    parameters = inspect.signature(function).parameters.values()
    return str(inspect.Signature([each.replace(annotation=inspect.Parameter.empty) for each in parameters]))


def test_names() -> None:
    assert set(runtime.__all__) == NAMES
    assert all(hasattr(runtime, name) for name in NAMES)


def test_signatures() -> None:
    assert {name: signature(function) for name, (function, _) in FUNCTIONS.items()} == {
        name: f"({', '.join(parameters)})" for name, (_, parameters) in FUNCTIONS.items()
    }


def test_methods_and_attributes_of_an_upscaler() -> None:
    public = {name for name in vars(runtime.Upscaler) if not name.startswith("_")}
    assert public == {name.partition(".")[2] for name in FUNCTIONS if "." in name} - {"__call__"}
    with runtime.load(threads=1) as upscaler:
        assert {name for name in vars(upscaler) if not name.startswith("_")} == {
            "artifact",
            "backend",
            "bundle",
            "manifest",
        }


def test_options() -> None:
    assert set(get_type_hints(runtime.Options)) == OPTIONS
    assert runtime.Options.__required_keys__ == set()
