"""ResShift's own network as one static graph: exact but for what floats round, in PyTorch and in ONNX Runtime."""

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from compress import fold
from compress.folding.programs import export_static
from compress.folding.reference import DeployedReference, fold_reference, fold_swin_unet
from tadsr.program import read_metadata
from tests.compress.graph_facts import free_sizes, largest_rank
from tests.reference.seeded_weights import seed_network
from tests.tiny import SWIN, VQ, write_official, write_photos, write_reduced_preset
from train.diffusion import process
from train.diffusion.latents import bind, condition
from train.diffusion.pixels import to_picture
from train.diffusion.schedule import ScheduleConfig, make_schedule
from train.engine.errors import TrainError
from train.engine.settings import preset_model
from train.networks.swin_unet import SwinUNet, SwinUNetConfig
from train.networks.vq import VQAutoencoder, VQConfig
from train.official import official_autoencoder, official_teacher

SCHEDULE = make_schedule(ScheduleConfig())


def random_networks(vq: VQConfig, swin_unet: SwinUNetConfig) -> tuple[VQAutoencoder, SwinUNet]:
    autoencoder, student = VQAutoencoder(vq), SwinUNet(swin_unet)
    for network in (autoencoder, student):
        network.load_state_dict({**network.state_dict(), **seed_network(network, 7, rounded=False)})
        network.eval().requires_grad_(False)
    return autoencoder, student


@pytest.fixture(scope="module")
def networks() -> tuple[VQAutoencoder, SwinUNet]:
    return random_networks(VQ, SWIN)


@pytest.fixture(scope="module")
def deployed(networks: tuple[VQAutoencoder, SwinUNet]) -> DeployedReference:
    return fold_reference(*networks, SCHEDULE, tile=32, seed=5)


@torch.no_grad()
def test_folded_student_is_the_student_at_the_last_step(networks: tuple[VQAutoencoder, SwinUNet]) -> None:
    student = copy.deepcopy(networks[1]).double()
    z_t, lq = torch.randn(2, 2, 3, 16, 32, dtype=torch.float64)
    folded = fold_swin_unet(student, SCHEDULE)
    assert not any("time_embed" in name or "emb_layers" in name or "bias_table" in name for name in folded.state_dict())
    expected = student(z_t, torch.full((2,), 14), lq)
    torch.testing.assert_close(folded.deployed(z_t, lq), expected, atol=1e-6, rtol=0)


def test_folded_student_is_told_no_time(networks: tuple[VQAutoencoder, SwinUNet]) -> None:
    folded = fold_swin_unet(networks[1], SCHEDULE)
    with pytest.raises(TypeError, match="has no time path"):
        folded(torch.zeros(1, 3, 16, 16), torch.zeros(1), torch.zeros(1, 3, 16, 16))


@torch.no_grad()
def test_deployed_graph_is_the_one_step_pipeline(
    networks: tuple[VQAutoencoder, SwinUNet], deployed: DeployedReference
) -> None:
    autoencoder, student = networks
    lr = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    given = condition(autoencoder, lr, 4)
    noise = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(5))
    z_0 = process.one_step(SCHEDULE, bind(student, given), given.z_y, noise)
    latents = deployed.latents(lr)
    torch.testing.assert_close(latents, z_0, atol=1e-4, rtol=0)
    torch.testing.assert_close(deployed(lr), to_picture(autoencoder.decode(latents)), atol=1e-6, rtol=0)


class Called(nn.Module):
    """One function of a network, as a network of its own."""

    def __init__(self, network: DeployedReference, function: Callable[[DeployedReference, Tensor], Tensor]) -> None:
        super().__init__()
        self.network, self.function = network, function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.network, x)


@torch.no_grad()
def check_in_onnx_runtime(network: DeployedReference, tile: int, folder: Path) -> None:
    """Latents, and the decoder on the same codes, to 1e-3."""
    lr = torch.rand(1, 3, tile, tile, generator=torch.Generator().manual_seed(0))
    latents = network.latents(lr)
    one_thread = onnxruntime.SessionOptions()
    one_thread.intra_op_num_threads = 1  # more of them wait for each other where tests run beside tests
    parts = {"latents": (Called(network, DeployedReference.latents), lr)}
    parts["decode"] = (Called(network, DeployedReference.decode), latents)
    for name, (part, given) in parts.items():
        program = torch.export.export(part, (given,))
        path = folder / f"{name}.onnx"
        converted = torch.onnx.export(program, dynamo=True, opset_version=20, optimize=False, verbose=False)
        assert converted is not None
        converted.save(path, external_data=True)
        session = onnxruntime.InferenceSession(path, one_thread, providers=["CPUExecutionProvider"])
        answer = session.run(None, {session.get_inputs()[0].name: given.numpy()})[0]
        expected = part(given).numpy()
        assert expected.std() > 0.01
        np.testing.assert_allclose(answer, expected, atol=1e-3, rtol=0, err_msg=name)


@pytest.mark.filterwarnings("ignore")
def test_onnx_runtime_gives_the_same(deployed: DeployedReference, tmp_path: Path) -> None:
    check_in_onnx_runtime(deployed, 32, tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_onnx_runtime_gives_the_same_at_full_size(tmp_path: Path) -> None:
    """118.6 and 55.3 million weights."""
    network = fold_reference(*random_networks(VQConfig(), SwinUNetConfig()), SCHEDULE, tile=64, seed=0)
    program = export_static(network, 64)
    assert largest_rank(program) <= 5
    assert free_sizes(program) == []
    check_in_onnx_runtime(network, 64, tmp_path)


def test_command_folds_official_files(tmp_path: Path) -> None:
    write_reduced_preset(tmp_path / "reference.yaml", "reference", crop=64)
    write_photos(tmp_path / "photos")
    write_official(tmp_path, "reference")
    options = {"preset": tmp_path / "reference.yaml", "photos": tmp_path / "photos", "out": tmp_path / "o"}
    options |= {"student": tmp_path / "teacher.pth", "autoencoder": tmp_path / "autoencoder.pth"}
    fold.main([*(f"--{name}={value}" for name, value in options.items()), "--tile=32", "--seed=5"])
    program = torch.export.load(tmp_path / "o/student.32.pt2")
    assert free_sizes(program) == []
    assert largest_rank(program) <= 5
    lr = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(program.module()(lr), _folded(tmp_path)(lr), atol=1e-5, rtol=0)
    metadata = read_metadata(tmp_path / "o/student.32.pt2")
    assert (metadata.name, metadata.scale, metadata.align, metadata.tiles) == ("reference", 4, 16, [32])
    assert metadata.macs_per_pixel > 0


def _folded(folder: Path) -> DeployedReference:
    model = preset_model(str(folder / "reference.yaml"))
    autoencoder = official_autoencoder(folder / "autoencoder.pth", model)
    student = official_teacher(folder / "teacher.pth", model)
    assert isinstance(autoencoder, VQAutoencoder)
    assert isinstance(student, SwinUNet)
    return fold_reference(autoencoder, student, make_schedule(model.diffusion), tile=32, seed=5)


def test_tiles_are_whole_windows(networks: tuple[VQAutoencoder, SwinUNet]) -> None:
    with pytest.raises(TrainError, match="this student takes multiples of 16"):
        fold_reference(*networks, SCHEDULE, tile=40, seed=0)
