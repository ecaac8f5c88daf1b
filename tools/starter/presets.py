"""Sizes of every network, by preset name; one place to make the starter bigger."""

# Norm-free and cheap, so that it trains on a CPU and decodes quickly in a browser. The encoder has no
# residual blocks: its five convolutions compute principal components of 8x8 patches (see principal.py).
VAE_COMMON = {"kind": "tiny", "in_channels": 3, "out_channels": 3, "act_fn": "relu", "latent_channels": 16,
              "latent_magnitude": 3, "latent_shift": 0.5, "scaling_factor": 1.0}


def tiny_vae(width: int, encoder: tuple, decoder: tuple) -> dict:
    """AutoencoderTiny of one width; residual blocks per stage, coarse stages cheapest."""
    return {**VAE_COMMON, "encoder_block_out_channels": [width] * 4, "decoder_block_out_channels": [width] * 4,
            "num_encoder_blocks": list(encoder), "num_decoder_blocks": list(decoder)}


UNET_COMMON = {
    "sample_size": 16, "act_fn": "silu", "center_input_sample": False, "flip_sin_to_cos": True, "freq_shift": 0,
    "downsample_padding": 1, "mid_block_scale_factor": 1, "mid_block_type": "UNetMidBlock2DCrossAttn",
    "norm_eps": 1e-5,
}
TEXT_LENGTH = 32  # tokens
CLIP_WIDTH = 128

PRESETS = {
    # About an evening on two CPU cores.
    "cpu": {
        "vae": tiny_vae(48, (0, 0, 0, 0), (3, 3, 1, 0)),
        # About 0.9 GFLOP per forward (the bound is 1.5; [128, 192] would be 2.4): CPU training is limited by pictures seen.
        "unet": {**UNET_COMMON, "in_channels": 16, "out_channels": 16, "block_out_channels": [64, 128],
                 "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
                 "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
                 "layers_per_block": 1, "attention_head_dim": 4, "cross_attention_dim": CLIP_WIDTH,
                 "norm_num_groups": 16},
    },
    # Same graph families, for a CUDA GPU; still within 32 MB in fp16.
    "gpu": {
        "vae": tiny_vae(64, (0, 0, 0, 0), (4, 3, 2, 1)),
        "unet": {**UNET_COMMON, "in_channels": 16, "out_channels": 16, "block_out_channels": [160, 256],
                 "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
                 "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
                 "layers_per_block": 2, "attention_head_dim": 4, "cross_attention_dim": CLIP_WIDTH,
                 "norm_num_groups": 16},
    },
}

TEXT = {
    "hidden_size": CLIP_WIDTH, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 4,
    "max_position_embeddings": TEXT_LENGTH, "hidden_act": "quick_gelu", "projection_dim": CLIP_WIDTH,
}
VISION = {
    "hidden_size": CLIP_WIDTH, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 4,
    "image_size": 128, "patch_size": 16, "hidden_act": "quick_gelu", "projection_dim": CLIP_WIDTH,
}
SCHEDULER = {
    "_class_name": "PNDMScheduler", "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085,
    "num_train_timesteps": 1000, "prediction_type": "epsilon", "set_alpha_to_one": False, "skip_prk_steps": True,
    "steps_offset": 1, "timestep_spacing": "leading", "trained_betas": None, "clip_sample": False,
}
