"""Presets and overrides: what wins, and what is refused."""

from pathlib import Path

import pytest

from compress.quantization.settings import QuantizeSettings
from tadsr import commands
from tests.tiny import write_preset
from train.autoencoder import AutoencoderSettings
from train.distill import DistillSettings
from train.engine.errors import TrainError
from train.engine.run_folder import CHECKPOINT, SETTINGS, open_run
from train.engine.settings import TrainingSettings, parse
from train.finetuning.settings import FinetuneSettings
from train.teacher import TeacherSettings

NEEDED = ["--photos", "p", "--out", "o"]


def test_command_line_wins_over_preset_wins_over_defaults(tmp_path: Path) -> None:
    preset = str(write_preset(tmp_path / "tiny.yaml"))
    settings = parse(
        TeacherSettings, "train.teacher", "", [*NEEDED, "--preset", preset, "--model.diffusion.steps", "6"]
    )
    assert settings.model.diffusion.steps == 6  # command line
    assert settings.model.diffusion.min_noise == 0.2  # preset
    assert settings.model.diffusion.kappa == 2.0  # default
    assert settings.model.teacher.widths == (8, 12)


def test_stages_read_their_own_section() -> None:
    teacher = parse(TrainingSettings, "train.teacher", "", NEEDED)
    autoencoder = parse(TrainingSettings, "train.autoencoder", "", NEEDED)
    assert teacher.model == autoencoder.model
    assert (teacher.lr, autoencoder.lr) == (5e-4, 1e-3)


@pytest.mark.parametrize("stage", ["train.autoencoder", "train.teacher", "train.distill", "train.finetune"])
def test_the_shipped_preset_is_good_for_every_stage(stage: str) -> None:
    settings = {
        "train.autoencoder": AutoencoderSettings,
        "train.teacher": TeacherSettings,
        "train.distill": DistillSettings,
        "train.finetune": FinetuneSettings,
    }[stage]
    made = parse(settings, stage, "", NEEDED)
    assert made.steps > 1000
    assert not isinstance(made, DistillSettings) or (made.score, made.discriminator) == ("none", "none")


def test_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(TrainError, match="mobile"):
        parse(TrainingSettings, "train.teacher", "", [*NEEDED, "--preset", "mobil"])


def test_misspelt_key_in_a_preset_is_refused(tmp_path: Path) -> None:
    preset = tmp_path / "typo.yaml"
    preset.write_text("teacher: {stepps: 5}\n")
    with pytest.raises(TrainError, match="stepps"):
        parse(TrainingSettings, "train.teacher", "", [*NEEDED, "--preset", str(preset)])


def test_broken_yaml_is_one_line(tmp_path: Path) -> None:
    preset = tmp_path / "broken.yaml"
    preset.write_text("a: [1, 2\nb: }")
    with pytest.raises(TrainError, match="not valid YAML") as error:
        parse(TrainingSettings, "train.teacher", "", [*NEEDED, "--preset", str(preset)])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("bad", [["--lrr", "1"], ["--lr", "fast"], ["--precision", "int4"]])
def test_bad_options_exit_with_code_2(bad: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        commands.run(lambda: parse(TrainingSettings, "train.teacher", "", [*NEEDED, *bad]) and None)
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert bad[0] in message
    assert message.count("\n") == 1


def test_what_is_missing_is_named_without_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TrainError) as error:
        parse(TrainingSettings, "train.teacher", "", [])
    assert str(error.value) == (
        "Missing from python -m train.teacher: --out PATH --photos PATH; see `python -m train.teacher --help`"
    )


def test_help_names_options_with_their_docstrings_and_presets(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        parse(TrainingSettings, "train.teacher", "Train it.", ["--help"])
    assert not stop.value.code
    text = capsys.readouterr().out
    assert "usage: python -m train.teacher" in text
    for part in ("Train it.", "--preset NAME", "mobile", "--save-every INT", "Steps between checkpoints."):
        assert part in text


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (["--lamda_1", "2"], "--lamda_1: no such option, did you mean --lambda-1? see `"),
        (["--model.diffusion.stepps=4"], "did you mean --model.diffusion.steps?"),
        (["--crop=64"], "did you mean --data.crop?"),
        (["--data.drawn-share=0.1"], "--data.drawn-share: no such option, which is --data.synthetic-prob now; see `"),
        (["--zzz"], "--zzz: no such option; see `python -m train.distill --help`"),
        (
            ["--discriminator", "time-awre"],
            "'time-awre' for argument '--discriminator'. Expected one of ('time-a",
        ),
        (["--batch", "1.5"], "--batch: invalid literal for int() with base 10: '1.5'; see `"),
        (["--data", "3"], "--data: no such option, it is a group of keys;"),
        (["--model.teacher.widths", "wide"], "--model.teacher.widths: Could not find valid parse for arguments"),
        (["--compile", "maybe"], "--compile: 'maybe' is neither true nor false;"),
        (["--preset"], "Missing value for argument '--preset'"),
    ],
)
def test_bad_options_are_named_beside_what_may_be_meant(bad: list[str], says: str) -> None:
    with pytest.raises(TrainError) as error:
        parse(DistillSettings, "train.distill", "", [*NEEDED, *bad])
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("data: {plain_share: 0.1}", "unknown key data.plain_share, which is data.flat_prob now; `python -m"),
        ("distill: {lamda_1: 3}", "unknown key lamda_1, did you mean lambda_1?"),
        ("data: {cropp: 64}", "unknown key data.cropp, did you mean data.crop?"),
        ("distil: {lambda_1: 3}", "unknown section distil, did you mean distill?"),
        ("zzz: {}", "unknown section zzz; there are model, data"),
        (
            "distill: {score: hdd}",
            "invalid choice 'hdd' for argument '--score'. Expected one of ('hsd', 'sds'",
        ),
        ("model: {diffusion: 3}", "unknown key model.diffusion, it is a group of keys;"),
    ],
)
def test_misspelt_keys_of_presets_are_told_the_nearest(text: str, says: str, tmp_path: Path) -> None:
    preset = tmp_path / "typo.yaml"
    preset.write_text(text)
    with pytest.raises(TrainError) as error:
        parse(DistillSettings, "train.distill", "", [*NEEDED, "--preset", str(preset)])
    assert says in str(error.value)
    assert str(preset) in str(error.value)
    assert "\n" not in str(error.value)


def test_misspelt_preset_is_told_the_nearest() -> None:
    with pytest.raises(TrainError, match=r"refrence: no such preset, did you mean reference\?"):
        parse(DistillSettings, "train.distill", "", [*NEEDED, "--preset", "refrence"])


@pytest.mark.parametrize(
    "bad",
    [
        ["--batch", "0"],
        ["--steps", "-1"],
        ["--log-every", "0"],
        ["--workers", "-1"],
        ["--ema", "1"],
        ["--data.crop", "16"],
        ["--data.crop", "68"],
        ["--model.diffusion.steps", "1"],
        ["--model.teacher.blocks", "1"],
    ],
)
def test_values_that_cannot_work_are_refused_before_the_work(bad: list[str]) -> None:
    with pytest.raises(TrainError, match=bad[0].removesuffix(".blocks")):
        parse(TrainingSettings, "train.teacher", "", [*NEEDED, *bad])


@pytest.mark.parametrize("text", ["", "- 1", "teacher: 5", "teacher: {lr: fast}", "model: {teacher: {widths: wide}}"])
def test_presets_of_another_shape_are_refused(text: str, tmp_path: Path) -> None:
    preset = tmp_path / "odd.yaml"
    preset.write_text(text)
    with pytest.raises(TrainError, match=r"odd\.yaml"):
        parse(TrainingSettings, "train.teacher", "", [*NEEDED, "--preset", str(preset)])


def test_a_missing_device_is_one_line() -> None:
    import torch

    from tests.tiny import TEACHER
    from train.engine.state import State
    from train.engine.task import Trainable
    from train.networks.unet import UNet

    if torch.cuda.is_available():
        pytest.skip("needs a machine without a GPU")

    class Nothing:
        name = "nothing"
        trainables = {"teacher": Trainable(UNet(TEACHER, 3))}  # noqa: RUF012

    settings = parse(TrainingSettings, "train.teacher", "", [*NEEDED, "--device", "cuda"])
    with pytest.raises(TrainError, match="--device cuda"):
        State(Nothing(), settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "words",
    [["--ptq", "--keep-float", "NONE"], ["--keep-float=NONE", "--ptq"], ["--ptq", "true", "--keep_float", "NONE"]],
)
def test_options_are_taken_as_people_write_them(words: list[str]) -> None:
    settings = parse(QuantizeSettings, "compress.quantize", "", [*NEEDED, *words])
    assert settings.ptq
    assert settings.keep_float == "NONE"
    assert not parse(QuantizeSettings, "compress.quantize", "", [*NEEDED, "--ptq", "false"]).ptq


def test_a_run_with_the_names_of_earlier_versions_is_resumed(tmp_path: Path) -> None:
    argv = ["--photos=p", f"--out={tmp_path}", "--data.synthetic-prob=0.2"]
    settings = parse(TrainingSettings, "train.teacher", "", argv)
    open_run(settings)
    (tmp_path / CHECKPOINT).touch()
    noted = tmp_path / SETTINGS
    noted.write_text(noted.read_text().replace("synthetic_prob", "drawn_share"))
    open_run(settings)
    noted.write_text(noted.read_text().replace("synthetic_prob: 0.2", "drawn_share: 0.3"))
    with pytest.raises(TrainError, match=r"data\.synthetic_prob 0\.3 -> 0\.2"):
        open_run(settings)
