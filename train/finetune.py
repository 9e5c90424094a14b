"""``python -m train.finetune``: finetune the student as it will be deployed, with its LR encoder and without noise.

Writes ``deployed_student.safetensors`` and ``lr_encoder.safetensors``, and the decoder that was trained beside them:
``autoencoder.safetensors`` (mobile, with --train-decoder) or ``static_decoder.safetensors`` (VQ). ``compress.fold``
makes one static graph of them.
"""

from collections.abc import Sequence

from tadsr import commands
from train.engine.loop import train
from train.engine.settings import parse
from train.engine.sources import training_data
from train.finetuning.settings import FinetuneSettings
from train.finetuning.task import FinetuneTask


def main(argv: Sequence[str] | None = None) -> None:
    settings = parse(FinetuneSettings, "train.finetune", "Finetune the student as it will be deployed.", argv)
    dataset = training_data(settings)
    train(FinetuneTask(settings, dataset), settings, dataset)


if __name__ == "__main__":
    commands.run(main, resumes=True)
