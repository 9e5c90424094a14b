"""Goldens that this project's code computes, in the layout of the official ones but with other settings.

They cannot show that the code is right; they show that ``tests.reference`` takes every setting from the folder.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.reference.seeded_weights import seed_network, sha256
from tests.reference.tiling import run_tiles, starts
from train.diffusion import process
from train.diffusion.pixels import enlarge
from train.diffusion.schedule import ScheduleConfig, make_schedule
from train.networks.swin_unet import SwinUNet, SwinUNetConfig
from train.networks.vq import VQAutoencoder, VQConfig
from train.objectives import hsd

UNET = {
    "image_size": 16,
    "in_channels": 4,
    "model_channels": 32,
    "out_channels": 4,
    "attention_resolutions": [8],
    "channel_mult": [1, 1],
    "num_res_blocks": [1, 1],
    "num_head_channels": 8,
    "swin_embed_dim": 32,
    "swin_depth": 3,
    "window_size": 4,
    "mlp_ratio": 1.5,
    "lq_size": 32,
    "cond_lq": True,
    "dims": 2,
}
INPAINTING = {**UNET, "num_res_blocks": 2, "attention_resolutions": [16, 8], "cond_mask": True}
AUTOENCODER = {
    "embed_dim": 4,
    "n_embed": 32,
    "ddconfig": {
        "double_z": False,
        "z_channels": 4,
        "resolution": 64,
        "in_channels": 3,
        "out_ch": 3,
        "ch": 32,
        "ch_mult": [1, 1, 1],
        "num_res_blocks": [1, 1, 2],
        "attn_resolutions": [16],
        "padding_mode": "zeros",
    },
}
DIFFUSION = {
    "sf": 2,
    "schedule_name": "exponential",
    "schedule_kwargs": {"power": 0.5},
    "etas_end": 0.95,
    "kappa": 1.5,
    "steps": 6,
    "min_noise_level": 0.1,
    "timestep_respacing": None,
}


def write_goldens(folder: Path, seed: int = 77) -> Path:
    """Write goldens of other sizes and of a 6-step diffusion for x2, with seeded weights; returns ``folder``."""
    torch.manual_seed(seed)
    s = make_schedule(ScheduleConfig(6, 0.1, 0.95, 0.5, 1.5))
    networks = {
        "unet": SwinUNet(SwinUNetConfig.from_official(UNET)),
        "unet_mask": SwinUNet(SwinUNetConfig.from_official(INPAINTING)),
        "autoencoder": VQAutoencoder(VQConfig.from_official(AUTOENCODER)),
    }
    configs = {"unet": UNET, "unet_mask": INPAINTING, "autoencoder": AUTOENCODER}
    meta: dict[str, Any] = {"diffusion": {"s6": DIFFUSION}, "tiling": {"tile": 10, "stride": 7, "extra_bs": 3}}
    for i, (name, network) in enumerate(networks.items()):
        rounded = name == "unet"
        weights = seed_network(network.eval().requires_grad_(False), seed + i, rounded)
        network.load_state_dict(weights, strict=False)
        meta[name] = {
            "config": configs[name],
            "seed": seed + i,
            "weights_rounded_to_half": rounded,
            "sha256": sha256(weights),
            "total_params": sum(value.numel() for value in weights.values()),
        }
    meta["tile_starts"] = {"50x9_p16_s12": {"h": list(starts(50, 16, 12)), "w": list(starts(9, 16, 12))}}
    unet, masked, autoencoder = networks.values()
    picture, lq, t = torch.rand(1, 3, 64, 64) * 2 - 1, torch.rand(1, 3, 32, 32) * 2 - 1, torch.tensor([5])
    z_y, noise = autoencoder.encode(enlarge(lq, 2)), torch.randn(7, 1, 4, 16, 16)
    z = autoencoder.encode(picture)
    mask = (torch.rand(1, 1, 32, 32) > 0.5).float()

    def denoiser(z_t: Tensor, t: Tensor) -> Tensor:
        return unet(z_t, t, lq)

    def trajectory(steps: list[process.Step]) -> dict[str, Tensor]:
        return {
            "lq": lq,
            "z_y": z_y,
            "z_T": process.prior_sample(s, z_y, noise[0]),
            "samples": torch.stack([step.sample for step in steps]),
            "pred_xstart": torch.stack([step.z_0 for step in steps]),
        }

    stochastic = trajectory(list(process.stochastic_trajectory(s, denoiser, z_y, noise)))
    before = torch.cat([stochastic["z_T"][None], stochastic["samples"][:-1]])
    index = torch.arange(5, -1, -1)
    mean = process.posterior_mean(s, stochastic["pred_xstart"][:, 0], before[:, 0], index)[:, None]
    last = stochastic["samples"][-1]
    z_t = process.forward_process(s, z, z_y, t, noise[1])
    predicted = denoiser(process.scale_input(s, z_t, t), t)
    score = hsd.score_distillation(denoiser, s, z, last, z_y, t - 4, noise[2])
    batches = iter(range(100))
    deterministic = trajectory(list(process.deterministic_trajectory(s, denoiser, z_y, noise[0])))
    tile_image = torch.rand(2, 3, 23, 30)
    files: dict[str, dict[str, Tensor]] = {
        "unet_io": {"x": z_t, "t": t, "lq": lq, "out": unet(z_t, t, lq)},
        "unet_mask_io": {
            "one.x": z_t,
            "one.t": t,
            "one.lq": lq,
            "one.mask": mask,
            "one.out": masked(z_t, t, lq, mask=mask),
            "one.lq_features": masked.feature_extractor(torch.cat([lq, mask], 1)),
        },
        "autoencoder_io": {
            "x": picture,
            "z": z,
            "z_quantised": autoencoder.quantize(z),
            "indices": autoencoder.quantize.indices(z),
            "dec": autoencoder.decode(z),
            "dec_no_quant": autoencoder.decode(z, quantise=False),
        },
        "trajectory_resshift_s6": {
            **stochastic,
            "noise": noise,
            "means": mean,
            "final_indices": autoencoder.quantize.indices(last)[0],
            "decoded": autoencoder.decode(last),
            "decoded_no_quant": autoencoder.decode(last, quantise=False),
        },
        "trajectory_sinsr_deterministic_s6": {
            **deterministic,
            "noise": noise[0],
            "one_step_z0": process.one_step(s, denoiser, z_y, noise[0]),
            **{key: torch.from_numpy(getattr(s, f"det_{key}")).float() for key in ("k", "m", "j")},
        },
        "training_loss_s6": {
            "gt": picture,
            "lq": lq,
            "t": t,
            "noise": noise[1],
            "z_t": z_t,
            "scaled_z_t": process.scale_input(s, z_t, t),
            "pred_z0": predicted,
            "mse": (predicted - z).square().mean((1, 2, 3)),
        },
        "hsd_reference_s6": {
            "lq": lq,
            "z_y": z_y,
            "z0_stu": z,
            "z0_tch": last,
            "noise": noise[2],
            "t": t - 4,
            "z_t_stu": score.z_t_student,
            "z_t_tch": score.z_t_teacher,
            "F_stu": score.F_student,
            "F_tch": score.F_teacher,
            "eps_stu": process.predicted_noise(s, score.F_student, score.z_t_student, z_y, t - 4),
            "eps_tch": process.predicted_noise(s, score.F_teacher, score.z_t_teacher, z_y, t - 4),
            "bracket": score.bracket,
            "weight_kappa_sqrt_eta": hsd.weight(s, t - 4, z_y),
            "grad_per_element": score.gradient,
        },
        "tiling": {
            "image": tile_image,
            "merged": run_tiles(
                tile_image,
                10,
                7,
                3,
                lambda tiles: (
                    tiles.repeat_interleave(3, 2).repeat_interleave(3, 3)
                    + 10 * next(batches)
                    + torch.arange(len(tiles) // 2).repeat_interleave(2).view(-1, 1, 1, 1)
                ),
                3,
            ),
        },
    }
    folder.mkdir()
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    np.savez(folder / "schedule_s6.npz", etas=s.etas, input_std=s.input_std, det_k=s.det_k)
    for name, tensors in files.items():
        save_file({key: value.contiguous() for key, value in tensors.items()}, folder / f"{name}.safetensors")
    return folder
