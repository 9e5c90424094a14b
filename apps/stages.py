"""The public commands of the stages, which ``tadsr GROUP COMMAND`` forwards to: ``tadsr train distill`` is ``python -m
train.distill``, in any folder."""

import importlib
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple


class Command(NamedTuple):
    """One module with a ``main``."""

    help: str
    resumes: bool = False
    """Whether the same command goes on where it was stopped."""


GROUPS: dict[str, tuple[str, dict[str, Command]]] = {
    "train": (
        "Train networks: autoencoder, teacher, student.",
        {
            "autoencoder": Command("Train the f4 autoencoder.", resumes=True),
            "teacher": Command("Train the multi-step diffusion teacher.", resumes=True),
            "distill": Command("Distil the teacher into a one-step student.", resumes=True),
            "finetune": Command("Finetune the student as it will be deployed.", resumes=True),
            "evaluate": Command("Measure models over a folder of pictures, side by side."),
            "sample_teacher": Command("Keep the teacher's samples, for several distillations.", resumes=True),
            "ablate": Command("Compare the terms of the distillation.", resumes=True),
            "official": Command("Convert official checkpoints."),
            "publish": Command("Store weights in fp16, without what only training needs."),
        },
    ),
    "compress": (
        "Compress a finetuned student: fold, prune, quantise, report.",
        {
            "fold": Command("Fold student, LR encoder and decoder into static graphs."),
            "prune": Command("Prune the decoder and finetune what is left.", resumes=True),
            "quantize": Command("Finetune a program in INT8.", resumes=True),
            "report": Command("Show what every stage cost, and check it against budgets."),
        },
    ),
    "export": (
        "Write and verify the files of each engine.",
        {
            "onnx": Command("For ONNX Runtime and OpenVINO."),
            "coreml": Command("For Core ML: iPhone, iPad, Mac."),
            "executorch": Command("For ExecuTorch: Android, iOS, embedded."),
            "tensorrt": Command("For TensorRT."),
            "aoti": Command("For AOTInductor, on this machine."),
            "bundle": Command("A bundle: a file per engine and precision, with a manifest."),
            "verify": Command("Compare a bundle's files with the programs that they were made of."),
        },
    ),
}


def run_command(group: str, name: str, words: Sequence[str]) -> None:
    """Run ``GROUP.NAME`` with these words; exits as it does. Raises `MissingExtraError` where a package is missing."""
    from tadsr import commands

    command = f"{group}.{name}"
    module = importlib.import_module(command)
    if hasattr(module, "__path__"):  # a folder of its own
        module = importlib.import_module(f"{command}.__main__")
    with commands.forwarding(command):
        commands.run(partial(module.main, words), resumes=GROUPS[group][1][name].resumes)
