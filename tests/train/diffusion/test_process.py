"""The diffusion core against the published equations and against numbers of the official code."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.shared import golden
from train.diffusion import process
from train.diffusion.schedule import Schedule, ScheduleConfig, make_schedule, respace

S15, S4 = ScheduleConfig(), ScheduleConfig(steps=4, min_noise=0.2)
CONFIGS = {"s15": S15, "s4": S4}
ARRAYS = {
    "sqrt_etas": "sqrt_etas",
    "etas": "etas",
    "etas_prev": "etas_prev",
    "alpha": "alpha",
    "posterior_mean_coef1": "posterior_mean_coef1",
    "posterior_mean_coef2": "posterior_mean_coef2",
    "posterior_variance": "posterior_variance",
    "posterior_variance_clipped": "posterior_variance_clipped",
    "forward_noise_std": "noise_std",
    "input_std": "input_std",
    "det_k": "det_k",
    "det_m": "det_m",
    "det_j": "det_j",
}
TRAJECTORY = {"rtol": 1e-4, "atol": 5e-5}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("array", ARRAYS)
def test_schedule_equals_the_official_one(name: str, array: str) -> None:
    stored = np.load(golden(f"schedule_{name}.npz"))
    ours = getattr(make_schedule(CONFIGS[name]), ARRAYS[array])
    np.testing.assert_allclose(ours, stored[array], rtol=1e-12, atol=1e-15)


def test_schedule_has_the_published_values() -> None:
    """The values printed in ResShift's documentation, so that a user without the goldens has a check too."""
    s = make_schedule(S15)
    np.testing.assert_allclose(s.sqrt_etas[[0, 1, 7, 14]], [0.02, 0.117165, 0.475858, 0.99], atol=1e-6)
    np.testing.assert_allclose(make_schedule(S4).sqrt_etas, [0.1, 0.520096, 0.761382, 0.99], atol=1e-6)
    assert s.input_std[-1] == pytest.approx(2.218197, abs=1e-6)


@pytest.mark.parametrize("name", CONFIGS)
def test_stochastic_sampler_follows_the_official_trajectory(name: str) -> None:
    stored = _load(f"trajectory_resshift_{name}.safetensors")
    s = make_schedule(CONFIGS[name])
    trajectory = process.stochastic_trajectory(s, _replay(s, stored["pred_xstart"]), stored["z_y"], stored["noise"])
    torch.testing.assert_close(process.prior_sample(s, stored["z_y"], stored["noise"][0]), stored["z_T"])
    for i, step in enumerate(trajectory):
        torch.testing.assert_close(step.sample, stored["samples"][i], **TRAJECTORY)
        mean_from = stored["z_T"] if i == 0 else stored["samples"][i - 1]
        mean = process.posterior_mean(s, stored["pred_xstart"][i], mean_from, torch.tensor([step.t]))
        torch.testing.assert_close(mean, stored["means"][i], **TRAJECTORY)


def test_deterministic_sampler_follows_the_official_trajectory() -> None:
    stored = _load("trajectory_sinsr_deterministic_s15.safetensors")
    z_y, noise = stored["z_y"], stored["noise"]
    s = make_schedule(S15)
    steps = list(process.deterministic_trajectory(s, _replay(s, stored["pred_xstart"]), z_y, noise))
    for i, step in enumerate(steps):
        torch.testing.assert_close(step.sample, stored["samples"][i], **TRAJECTORY)
    one_step = process.one_step(s, _replay(s, stored["pred_xstart"]), z_y, noise)
    torch.testing.assert_close(one_step, stored["one_step_z0"], **TRAJECTORY)


@pytest.mark.parametrize("name", CONFIGS)
def test_forward_process_and_input_scaling_equal_the_official_ones(name: str) -> None:
    stored = _load(f"training_loss_{name}.safetensors")
    s, t = make_schedule(CONFIGS[name]), stored["t"].long()
    torch.testing.assert_close(process.scale_input(s, stored["z_t"], t), stored["scaled_z_t"], rtol=1e-5, atol=1e-6)


@given(t=st.integers(0, 14), seed=st.integers(0, 2**31))
def test_predicted_noise_inverts_the_forward_process(t: int, seed: int) -> None:
    s, index = make_schedule(S15), torch.tensor([t, t])
    z_0, z_y, noise = torch.randn(3, 2, 4, 5, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    z_t = process.forward_process(s, z_0, z_y, index, noise)
    torch.testing.assert_close(process.predicted_noise(s, z_0, z_t, z_y, index), noise, rtol=1e-6, atol=1e-8)


def test_deterministic_step_keeps_the_noise() -> None:
    """SinSR's derivation: re-noising at eta_{t-1} with the noise of z_t is what k, m and j do."""
    s, t = make_schedule(S15), torch.tensor([7])
    z_0, z_y, noise = torch.randn(3, 1, 4, 5, 5, dtype=torch.float64)
    z_t = process.forward_process(s, z_0, z_y, t, noise)
    expected = process.forward_process(s, z_0, z_y, t - 1, noise)
    torch.testing.assert_close(process.deterministic_step(s, z_0, z_t, z_y, t), expected)


def test_both_samplers_end_exactly_on_the_prediction() -> None:
    s = make_schedule(S15)
    target, z_y = torch.randn(2, 2, 4, 6, 6)
    noise = torch.randn(16, 2, 4, 6, 6)
    for trajectory in (
        process.stochastic_trajectory(s, lambda z, t: target, z_y, noise),
        process.deterministic_trajectory(s, lambda z, t: target, z_y, noise[0]),
    ):
        assert torch.equal(process.last_sample(trajectory), target)


def test_respacing_keeps_the_indices_the_network_was_trained_with() -> None:
    short = respace(make_schedule(S15), 5)
    assert short.indices == (0, 3, 6, 9, 12)
    np.testing.assert_array_equal(short.sqrt_etas, make_schedule(S15).sqrt_etas[[0, 3, 6, 9, 12]])
    told: list[int] = []
    z = torch.zeros(1, 4, 2, 2)
    process.last_sample(
        process.deterministic_trajectory(short, lambda z_t, t: told.append(int(t)) or z_t, z, z)  # type: ignore[func-returns-value]
    )
    assert told == [12, 9, 6, 3, 0]


@pytest.mark.parametrize("steps", [1, 16])
def test_impossible_step_counts_are_refused(steps: int) -> None:
    with pytest.raises(ValueError, match="15"):
        respace(make_schedule(S15), steps)


def _load(name: str) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(golden(name))


def _replay(s: Schedule, predictions: torch.Tensor) -> process.Denoiser:
    """A network that answers with the stored predictions, which are in sampling order."""
    return lambda z_t, t: predictions[s.steps - 1 - int(t[0])]
