"""ResShift's network: sizes and names as published, attention as its definition says, goldens by
``tests.reference``."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.seeded_weights import seed_network
from tests.shared import shared
from train.engine.errors import TrainError
from train.networks import swin
from train.networks.layers import timestep_embedding
from train.networks.swin_unet import SwinUNet, SwinUNetConfig

SMALL = SwinUNetConfig(
    image_size=16,
    model_channels=32,
    attention_resolutions=(16, 8),
    channel_mult=(1, 2),
    num_res_blocks=1,
    num_head_channels=16,
    swin_embed_dim=32,
    mlp_ratio=2,
    lq_size=16,
)
PUBLISHED = {
    "realsr x4": (SwinUNetConfig(), 118_593_583, 564),
    "faces": (SwinUNetConfig(in_channels=8, out_channels=8, lq_size=512), 118_931_604, 576),
    "inpainting": (SwinUNetConfig(lq_size=256, cond_mask=True), 118_714_399, 572),
    "realsr x2": (SwinUNetConfig(lq_size=128), 118_640_431, 568),
    "SinSR": (SwinUNetConfig(in_channels=6, lq_size=None), 118_593_583, 564),
}


def on_meta(config: SwinUNetConfig) -> SwinUNet:
    with torch.device("meta"):
        return SwinUNet(config)


def small(config: SwinUNetConfig = SMALL) -> SwinUNet:
    """With weights that leave no path at zero."""
    network = SwinUNet(config).eval()
    network.load_state_dict(seed_network(network, 3, rounded=False), strict=False)
    return network.requires_grad_(False)


def inputs(n: int = 2, side: int = 16, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    z_t, lq = torch.randn(2, n, 3, side, side, generator=torch.Generator().manual_seed(seed))
    return z_t, torch.arange(n), lq


@pytest.mark.parametrize("name", PUBLISHED)
def test_full_size_networks_have_the_published_number_of_parameters_and_entries(name: str) -> None:
    config, parameters, entries = PUBLISHED[name]
    network = on_meta(config)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    assert len(network.state_dict()) == entries
    assert network.stride == 64


@pytest.mark.parametrize(
    "name",
    [
        "realsr_x2",
        "sinsr_swinunet_realsr_x4",
        "swinunet_bicsr_x4_s4",
        "swinunet_faceir512_s4",
        "swinunet_inpaint_face_s4",
        "swinunet_inpaint_imagenet_s4",
        "swinunet_realsr_x4_s15",
        "swinunet_realsr_x4_s4_journal",
    ],
)
def test_names_shapes_order_and_buffers_are_the_official_ones(name: str) -> None:
    official = json.loads(shared(f"reference/resshift_keys/{name}.json").read_text())
    network = on_meta(SwinUNetConfig.from_official(official["config"]))
    parameters = {key: list(value.shape) for key, value in network.named_parameters()}
    assert list(parameters.items()) == list(official["parameters"].items())
    buffers = {k: v for k, v in network.state_dict().items() if k not in parameters}
    described = {k: {"shape": list(v.shape), "dtype": str(v.dtype).removeprefix("torch.")} for k, v in buffers.items()}
    assert list(described.items()) == list(official["buffers"].items())


def test_time_is_embedded_as_cosines_then_sines_of_the_raw_index() -> None:
    embedded = timestep_embedding(torch.tensor([0, 14]), 160)
    torch.testing.assert_close(embedded[0], torch.cat([torch.ones(80), torch.zeros(80)]))
    assert embedded[1, [0, 80]].tolist() == pytest.approx([math.cos(14), math.sin(14)], abs=1e-6)
    assert embedded[1, 79].item() == pytest.approx(math.cos(14 * 10_000 ** (-79 / 80)), abs=1e-6)


def test_only_the_last_row_of_windows_is_masked_and_only_across_its_columns() -> None:
    mask = swin.shifted_window_mask(16, 24, 8, 4)
    assert mask.shape == (6, 64, 64)
    assert not mask[:3].any()
    for window in mask[3:]:
        for i in (0, 3, 4, 37, 63):
            for j in (0, 3, 4, 39, 60):
                assert window[i, j] == (0 if (i % 8 >= 4) == (j % 8 >= 4) else -100)


@settings(max_examples=20)
@given(b=st.integers(1, 3), rows=st.integers(1, 3), columns=st.integers(1, 3), window=st.sampled_from([2, 4]))
def test_windows_are_row_major_and_can_be_put_back(b: int, rows: int, columns: int, window: int) -> None:
    h, w = rows * window, columns * window
    x = torch.arange(b * 2 * h * w).view(b, 2, h, w)
    windows = swin.to_windows(x, window)
    assert torch.equal(swin.from_windows(windows, window, (h, w)), x)
    last = x[b - 1, :, h - window :, w - window :]
    assert torch.equal(windows[-1], last.flatten(1).T)
    assert torch.equal(windows[-b * columns][:, 0], x[0, 0, h - window :, :window].flatten())


@pytest.mark.parametrize("shift", [0, 4])
@pytest.mark.parametrize("size", [(8, 16), (24, 16)])
def test_block_attends_as_defined(shift: int, size: tuple[int, int]) -> None:
    """Window by window and head by head, in float64, with the mask taken from its definition."""
    torch.manual_seed(0)
    block = swin.SwinBlock(32, heads=2, window=8, shift=shift, mlp_ratio=2, side=16).double()
    torch.nn.init.normal_(block.attn.relative_position_bias_table)
    torch.nn.init.normal_(block.attn.qkv.weight, std=0.3)
    x = torch.randn(2, 32, *size, dtype=torch.float64)
    normed = F.group_norm(x, 32, block.norm1.weight, block.norm1.bias, 1e-5)
    attended = torch.zeros_like(x)
    for b in range(2):
        for top in range(0, size[0], 8):
            for left in range(0, size[1], 8):
                rows = (torch.arange(top, top + 8) + shift) % size[0]
                columns = (torch.arange(left, left + 8) + shift) % size[1]
                tokens = normed[b][:, rows][:, :, columns].flatten(1).T
                masked = bool(shift) and top == size[0] - 8
                result = _attention(block.attn, tokens, masked)
                attended[b, :, rows[:, None], columns] = result.T.view(32, 8, 8)
    expected = x + attended
    expected = expected + block.mlp(F.group_norm(expected, 32, block.norm2.weight, block.norm2.bias, 1e-5))
    torch.testing.assert_close(block(x), expected, rtol=1e-5, atol=1e-5)


def _attention(attn: swin.WindowAttention, tokens: torch.Tensor, masked: bool) -> torch.Tensor:
    q, k, v = attn.qkv(tokens).chunk(3, dim=1)
    heads = []
    for head in range(attn.heads):
        part = slice(16 * head, 16 * head + 16)
        logits = (q[:, part] * 16**-0.5) @ k[:, part].T
        for i in range(64):
            for j in range(64):
                dy, dx = i // 8 - j // 8, i % 8 - j % 8
                logits[i, j] += attn.relative_position_bias_table[(dy + 7) * 15 + dx + 7, head]
                if masked and (i % 8 >= 4) != (j % 8 >= 4):
                    logits[i, j] -= 100
        heads.append(logits.softmax(1) @ v[:, part])
    return attn.proj(torch.cat(heads, dim=1))


def test_levels_not_larger_than_a_window_never_shift() -> None:
    network = small()
    assert [block.shift for block in network.middle_block[1].blocks] == [0, 0]
    assert [block.shift for block in network.input_blocks[1][1].blocks] == [0, 4]
    assert swin.SwinStage(32, 32, 2, depth=2, window=8, mlp_ratio=2, side=4).blocks[0].window == 4


def test_pictures_of_a_batch_do_not_see_each_other_on_larger_maps() -> None:
    network, (z_t, t, lq) = small(), inputs(side=32)
    together = network(z_t, t, lq)
    for i in range(2):
        alone = network(z_t[i : i + 1], t[i : i + 1], lq[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-4, atol=1e-5)


def test_encoder_features_are_the_outputs_of_the_input_blocks() -> None:
    network = small()
    features = network.encoder_features(*inputs())
    assert [tuple(f.shape[1:]) for f in features] == [(32, 16, 16), (32, 16, 16), (32, 8, 8), (64, 8, 8)]


def test_lq_of_another_size_and_a_mask_enter_through_the_feature_extractor() -> None:
    network = small(replace(SMALL, lq_size=64, cond_mask=True))
    z_t, t, _ = inputs()
    lq, mask = torch.randn(2, 3, 64, 64), torch.zeros(2, 1, 64, 64)
    assert network.feature_extractor(torch.cat([lq, mask], 1)).shape == (2, 64, 16, 16)
    plain, masked = (network(z_t, t, lq, mask=m) for m in (mask, mask + 1))
    assert plain.shape == z_t.shape
    assert not torch.allclose(plain, masked)


def test_latents_that_cannot_be_cut_into_windows_are_refused() -> None:
    z_t, t, lq = inputs(side=24)
    with pytest.raises(ValueError, match="multiples of 16"):
        small()(z_t, t, lq)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"swin_dept": 2}, "unknown setting 'swin_dept'; did you mean 'swin_depth'"),
        ({"resblock_updown": True}, "resblock_updown=True is not supported; only False is"),
        ({"lq_size": 96}, "image_size=16 times a power of two"),
    ],
)
def test_impossible_settings_are_refused_in_one_line(change: dict[str, object], message: str) -> None:
    with pytest.raises(TrainError, match=message):
        SwinUNet(SwinUNetConfig.from_official({**vars(SMALL), "dims": 2, "use_fp16": False, **change}))


def test_a_setting_left_out_is_named() -> None:
    with pytest.raises(TrainError, match="missing window_size, mlp_ratio"):
        SwinUNetConfig.from_official({k: v for k, v in vars(SMALL).items() if k not in ("window_size", "mlp_ratio")})


def test_half_precision_stays_close() -> None:
    network, (z_t, t, lq) = small(), inputs()
    whole = network(z_t, t, lq)
    half = network.bfloat16()(z_t.bfloat16(), t, lq.bfloat16())
    assert half.dtype == torch.bfloat16
    assert float((half - whole).abs().mean()) < 0.05


def test_it_exports_without_tensors_of_more_than_five_dimensions(tmp_path: Path) -> None:
    network, given_inputs = small(), inputs(1, side=32)
    exported = torch.export.export(network, given_inputs).run_decompositions({})
    ranks = [node.meta["val"].ndim for node in exported.graph.nodes if isinstance(node.meta.get("val"), torch.Tensor)]
    assert max(ranks) <= 5
    torch.testing.assert_close(exported.module()(*given_inputs), network(*given_inputs), rtol=1e-4, atol=1e-5)


def test_it_learns_from_the_first_step() -> None:
    network = SwinUNet(SMALL)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
    z_t, t, lq = inputs()
    losses = []
    for _ in range(8):
        loss = (network(z_t, t, lq) - lq).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
