"""Random tiny reference networks: config, weights, inputs, forward outputs and all gradients in one safetensors each.

usage: make_tiny.py OUT_DIR [NAME ...]
       make_tiny.py --golden OUT_DIR    the few smallest, without gradients of weights: src/models/golden

Layout: `config` in the metadata (JSON), weights `w.*`, inputs `in.*`, outputs `out.*`, gradients `grad.*` of `out.loss`
(weights: `grad.w.*`). Nothing pretrained is involved. Made with torch 2.15, diffusers 0.42, transformers 5.23.
"""
import json, math, sys, warnings
from pathlib import Path

warnings.filterwarnings("ignore")
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import save_file
from transformers import (CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPVisionConfig,
                          CLIPVisionModelWithProjection)


def init(model, seed):
    g = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        if p.ndim >= 2: p.data = torch.randn(p.shape, generator=g) / math.sqrt(p[0].numel())
        elif name.endswith("weight"): p.data = 1 + 0.1 * torch.randn(p.shape, generator=g)
        else: p.data = 0.1 * torch.randn(p.shape, generator=g)
    return model.eval()


def config_of(model, name):
    config = model.config.to_dict() if hasattr(model.config, "to_dict") else dict(model.config)
    config = {k: v for k, v in config.items() if not k.startswith("_")}
    return {**config, "_class_name": name}


def save(path, tensors, config):
    tensors = {k: v.detach().clone().contiguous() for k, v in tensors.items() if v is not None}
    save_file(tensors, path, {"format": "pt", "config": json.dumps(config, default=list)})
    print(path.name, sum(v.numel() for k, v in tensors.items() if k.startswith("w.")), "parameters")


def weights(model): return {"w." + k: v for k, v in model.state_dict().items()}


def gradients(model): return {"grad.w." + k: p.grad for k, p in model.named_parameters() if p.grad is not None}


def mean_square_error(y, g):
    """Backward from the loss against a random target; what to save of it."""
    target = torch.randn(y.shape, generator=g)
    loss = ((y - target) ** 2).mean()
    loss.backward()
    return {"in.target": target, "out.loss": loss.reshape(1)}


def unet(path, seed, *, size=(8, 8), batch=2, tokens=5, timesteps=(37, 801), **config):
    m = UNet2DConditionModel(sample_size=8, **{"norm_num_groups": 4, "cross_attention_dim": 12, **config})
    init(m, seed).set_attn_processor(AttnProcessor())
    g = torch.Generator().manual_seed(100 + seed)
    x = torch.randn(batch, m.config.in_channels, *size, generator=g, requires_grad=True)
    t = torch.tensor(timesteps[:batch])
    dim = m.config.cross_attention_dim
    e = torch.randn(batch, tokens, dim if isinstance(dim, int) else dim[0], generator=g, requires_grad=True)
    extra, given = {}, {}
    if m.config.time_cond_proj_dim:
        given["in.timestep_cond"] = extra["timestep_cond"] = torch.randn(batch, m.config.time_cond_proj_dim, generator=g)
    if m.config.addition_embed_type == "text_time":
        pooled = m.config.projection_class_embeddings_input_dim - 6 * m.config.addition_time_embed_dim
        cond = {"text_embeds": torch.randn(batch, pooled, generator=g),
                "time_ids": torch.tensor([[512., 384, 0, 16, 512, 512], [64, 64, 8, 0, 128, 96]])[:batch]}
        extra["added_cond_kwargs"] = cond
        given.update({"in." + k: v for k, v in cond.items()})
    y = m(x, t, e, **extra).sample
    loss = mean_square_error(y, g)
    save(path, {**weights(m), **given, **loss, "in.sample": x, "in.timestep": t.float(),
                "in.encoder_hidden_states": e, "out.sample": y, "grad.sample": x.grad,
                "grad.encoder_hidden_states": e.grad, **gradients(m)}, config_of(m, "UNet2DConditionModel"))


CROSS_D, DOWN = "CrossAttnDownBlock2D", "DownBlock2D"
CROSS_U, UP = "CrossAttnUpBlock2D", "UpBlock2D"


def vae(path, seed, *, size=(16, 16), **config):
    stages = len(config["block_out_channels"])
    m = init(AutoencoderKL(**{"down_block_types": ("DownEncoderBlock2D",) * stages,
                              "up_block_types": ("UpDecoderBlock2D",) * stages, "norm_num_groups": 4, **config}), seed)
    g = torch.Generator().manual_seed(100 + seed)
    image = torch.randn(1, m.config.in_channels, *size, generator=g)
    posterior = m.encode(image).latent_dist
    z = posterior.mean.detach().requires_grad_()
    decoded = m.decode(z).sample
    loss = mean_square_error(decoded, g)
    save(path, {**weights(m), **loss, "in.image": image, "in.latent": z, "out.moments": posterior.parameters,
                "out.mean": posterior.mean, "out.std": posterior.std, "out.logvar": posterior.logvar,
                "out.decoded": decoded, "grad.latent": z.grad, **gradients(m)}, config_of(m, "AutoencoderKL"))


def taesd(path, seed, *, size=(32, 32), **config):
    m = init(AutoencoderTiny(**config), seed)
    g = torch.Generator().manual_seed(100 + seed)
    image = torch.rand(1, m.config.in_channels, *size, generator=g) * 2 - 1
    latents = m.encode(image).latents
    z = latents.detach().requires_grad_()
    decoded = m.decode(z).sample
    loss = mean_square_error(decoded, g)
    save(path, {**weights(m), **loss, "in.image": image, "in.latent": z, "out.latents": latents, "out.decoded": decoded,
                "grad.latent": z.grad, **gradients(m)}, config_of(m, "AutoencoderTiny"))


def clip_text(path, seed, *, tokens=10, batch=2, prefix=True, projection=False, **config):
    cls = CLIPTextModelWithProjection if projection else CLIPTextModel
    config = CLIPTextConfig(**{"vocab_size": 64, "max_position_embeddings": 10, "bos_token_id": 62,
                               "eos_token_id": 63, **config})
    m = init(cls(config), seed)
    g = torch.Generator().manual_seed(100 + seed)
    ids = torch.randint(1, 62, (batch, tokens), generator=g)
    ids[:, 0] = 62
    for row in range(batch): ids[row, 4 + row:] = config.eos_token_id
    o = m(ids, output_hidden_states=True)
    y = o.last_hidden_state
    loss = mean_square_error(y, g)
    table = next(p for k, p in m.named_parameters() if k.endswith("token_embedding.weight"))
    name = lambda k: k if k.startswith("text_projection") else ("text_model." if prefix else "") + k.removeprefix("text_model.")
    out = {"out.text_embeds": o.text_embeds} if projection else {"out.pooler_output": o.pooler_output}
    save(path, {**{"w." + name(k): v for k, v in m.state_dict().items()}, **out, "in.ids": ids.float(),
                "out.last_hidden_state": y, "out.hidden_m2": o.hidden_states[-2], "out.hidden_m3": o.hidden_states[-3],
                **loss, "grad.token_embedding": table.grad},
         {**config_of(m, cls.__name__), "architectures": [cls.__name__]})


def clip_vision(path, seed, *, batch=2, **config):
    m = init(CLIPVisionModelWithProjection(CLIPVisionConfig(**config)), seed)
    m.vision_model.embeddings.class_embedding.data.normal_(generator=torch.Generator().manual_seed(seed))
    g = torch.Generator().manual_seed(100 + seed)
    pixels = torch.randn(batch, 3, m.config.image_size, m.config.image_size, generator=g, requires_grad=True)
    o = m(pixels)
    loss = mean_square_error(o.image_embeds, g)
    save(path, {**weights(m), **loss, **gradients(m), "in.pixel_values": pixels, "out.image_embeds": o.image_embeds,
                "out.last_hidden_state": o.last_hidden_state, "grad.pixel_values": pixels.grad},
         config_of(m, "CLIPVisionModelWithProjection"))


MODELS = {
    "unet_plain": lambda p: unet(p, 1, block_out_channels=(8, 16), layers_per_block=1, attention_head_dim=2,
                                 down_block_types=(CROSS_D, DOWN), up_block_types=(UP, CROSS_U)),
    "unet_odd_size": lambda p: unet(p, 2, size=(9, 14), block_out_channels=(8, 12, 16), layers_per_block=1,
                                    attention_head_dim=4, down_block_types=(CROSS_D, DOWN, CROSS_D),
                                    up_block_types=(CROSS_U, UP, CROSS_U), in_channels=9),
    "unet_layers_list": lambda p: unet(p, 3, block_out_channels=(16, 24), layers_per_block=(1, 3),
                                       attention_head_dim=(2, 8), transformer_layers_per_block=(2, 1),
                                       down_block_types=(DOWN, CROSS_D), up_block_types=(CROSS_U, UP), out_channels=6),
    "unet_ssd_mid": lambda p: unet(p, 4, block_out_channels=(8, 16, 16), layers_per_block=2, attention_head_dim=(1, 2, 4),
                                   mid_block_type="UNetMidBlock2D", use_linear_projection=True,
                                   transformer_layers_per_block=((1, 2), (2, 1), (1, 1)),
                                   reverse_transformer_layers_per_block=((1, 2, 1), (1, 1, 2), (2, 1, 1)),
                                   down_block_types=(CROSS_D, CROSS_D, CROSS_D), up_block_types=(CROSS_U,) * 3),
    "unet_no_mid": lambda p: unet(p, 5, batch=1, tokens=77, block_out_channels=(32, 64), layers_per_block=1,
                                  attention_head_dim=8, mid_block_type=None, norm_num_groups=32, norm_eps=1e-4,
                                  down_block_types=(CROSS_D, CROSS_D), up_block_types=(CROSS_U, CROSS_U)),
    "unet_sdxl": lambda p: unet(p, 6, block_out_channels=(8, 16, 32), layers_per_block=2, attention_head_dim=(1, 2, 4),
                                use_linear_projection=True, transformer_layers_per_block=(1, 2, 3),
                                addition_embed_type="text_time", addition_time_embed_dim=4,
                                projection_class_embeddings_input_dim=6 * 4 + 10, down_block_types=(DOWN, CROSS_D, CROSS_D),
                                up_block_types=(CROSS_U, CROSS_U, UP)),
    "unet_traps": lambda p: unet(p, 7, size=(6, 10), block_out_channels=(8, 16), layers_per_block=1,
                                 attention_head_dim=4, center_input_sample=True, flip_sin_to_cos=False, freq_shift=1,
                                 downsample_padding=0, mid_block_scale_factor=math.sqrt(2), upcast_attention=True,
                                 time_cond_proj_dim=6, cross_attention_dim=(20, 20), down_block_types=(CROSS_D, CROSS_D),
                                 up_block_types=(CROSS_U, CROSS_U)),
    "unet_one_stage": lambda p: unet(p, 8, size=(5, 5), block_out_channels=(16,), layers_per_block=2,
                                     attention_head_dim=16, down_block_types=(CROSS_D,), up_block_types=(CROSS_U,)),
    "vae_four_stages": lambda p: vae(p, 11, block_out_channels=(4, 8, 8, 16), layers_per_block=2, latent_channels=4),
    "vae_odd": lambda p: vae(p, 12, size=(12, 20), block_out_channels=(8, 12), layers_per_block=3, latent_channels=8,
                             use_quant_conv=False, use_post_quant_conv=False, scaling_factor=0.5, shift_factor=0.1),
    "vae_no_attention": lambda p: vae(p, 13, block_out_channels=(8, 8, 8), layers_per_block=1, latent_channels=3,
                                      mid_block_add_attention=False, norm_num_groups=2, in_channels=1, out_channels=1),
    "taesd_wide": lambda p: taesd(p, 21, encoder_block_out_channels=(12,) * 3, decoder_block_out_channels=(16,) * 3,
                                  num_encoder_blocks=(1, 2, 0), num_decoder_blocks=(2, 1, 1), latent_channels=8),
    "taesd_silu": lambda p: taesd(p, 22, size=(16, 24), encoder_block_out_channels=(8,) * 4,
                                  decoder_block_out_channels=(8,) * 4, act_fn="silu"),
    "clip_text_bare": lambda p: clip_text(p, 31, prefix=False, hidden_size=24, intermediate_size=40, hidden_act="gelu",
                                          num_hidden_layers=3, num_attention_heads=3),
    "clip_text_projection": lambda p: clip_text(p, 32, tokens=7, projection=True, projection_dim=6, hidden_size=16,
                                                intermediate_size=64, num_hidden_layers=2, num_attention_heads=2),
    "clip_vision": lambda p: clip_vision(p, 41, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
                                         num_attention_heads=2, image_size=14, patch_size=4, projection_dim=6),
    "clip_vision_gelu": lambda p: clip_vision(p, 42, batch=1, hidden_size=32, intermediate_size=64, num_hidden_layers=3,
                                              num_attention_heads=8, image_size=32, patch_size=8, projection_dim=16,
                                              hidden_act="gelu", layer_norm_eps=1e-6),
}

GOLDEN = {
    "unet": lambda p: unet(p, 51, size=(6, 5), tokens=3, block_out_channels=(4, 8), layers_per_block=1,
                           attention_head_dim=(1, 2), norm_num_groups=2, cross_attention_dim=6, time_cond_proj_dim=2,
                           down_block_types=(CROSS_D, CROSS_D), up_block_types=(CROSS_U, CROSS_U)),
    "vae": lambda p: vae(p, 52, size=(8, 8), block_out_channels=(4, 8), layers_per_block=1, latent_channels=2,
                         norm_num_groups=2),
    "taesd": lambda p: taesd(p, 53, size=(8, 8), encoder_block_out_channels=(6, 6), decoder_block_out_channels=(4, 4),
                             num_encoder_blocks=(1, 1), num_decoder_blocks=(1, 1), latent_channels=2),
    "clip_text": lambda p: clip_text(p, 54, tokens=6, hidden_size=8, intermediate_size=16, num_hidden_layers=2,
                                     num_attention_heads=2, projection=True, projection_dim=4),
    "clip_text_eos": lambda p: clip_text(p, 56, tokens=7, hidden_size=4, intermediate_size=6, num_hidden_layers=2,
                                         num_attention_heads=1, eos_token_id=5),
    "clip_vision": lambda p: clip_vision(p, 55, hidden_size=8, intermediate_size=16, num_hidden_layers=2,
                                         num_attention_heads=2, image_size=8, patch_size=4, projection_dim=4,
                                         hidden_act="gelu"),
}

if __name__ == "__main__":
    arguments = sys.argv[1:]
    table = MODELS
    if arguments[:1] == ["--golden"]:
        arguments, table = arguments[1:], GOLDEN
        gradients = lambda model: {}
    if not arguments: sys.exit(__doc__)
    out = Path(arguments[0])
    out.mkdir(parents=True, exist_ok=True)
    for name in arguments[1:] or table: table[name](out / f"tiny_{name}.safetensors")
