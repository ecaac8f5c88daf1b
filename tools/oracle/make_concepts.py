"""Concept files in every dialect, and what diffusers and peft make of them: src/formats/golden/concepts/.

Every LoRA is loaded by diffusers (or peft) into a network whose weights are zero and fused there, so the weights
that remain are the deltas. Run: python tools/oracle/make_concepts.py   (made with diffusers 0.42, peft 0.21, torch 2.15)
"""
import json, shutil, sys
from pathlib import Path

import peft, torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import CustomDiffusionAttnProcessor
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel

out = Path(__file__).parents[2] / "src/formats/golden/concepts"
WIDTH = 12
UNET = dict(block_out_channels=(8, 16), layers_per_block=1, sample_size=8, norm_num_groups=4, attention_head_dim=2,
            cross_attention_dim=WIDTH, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"))
TEXT = dict(hidden_size=WIDTH, intermediate_size=20, num_hidden_layers=2, num_attention_heads=2, vocab_size=30,
            max_position_embeddings=16, projection_dim=WIDTH)
BLOCK = "mid_block.attentions.0.transformer_blocks.0"


def network(cls, seed=None):
    torch.manual_seed(seed or 0)
    model = cls()
    if seed is None:
        for p in model.parameters(): p.data.zero_()
    return model


unet = lambda seed=None: network(lambda: UNet2DConditionModel(**UNet_config()), seed)
text = lambda seed=None: network(lambda: CLIPTextModel(CLIPTextConfig(**TEXT)), seed)
UNet_config = lambda: UNET


def pipeline(seed=None):
    return StableDiffusionPipeline(vae=None, text_encoder=text(seed), tokenizer=None, unet=unet(seed),
                                   scheduler=DDIMScheduler(), safety_checker=None, feature_extractor=None,
                                   requires_safety_checker=False)


def text_name(name): return name if name.startswith("text_model.") else "text_model." + name


def factors(names, shapes, generator, rank=lambda i: 2):
    """weight name -> (down, up), in the rank of the weight"""
    made = {}
    for i, name in enumerate(names):
        shape, r = shapes[name], rank(i)
        down = torch.randn(r, *shape[1:], generator=generator) * 0.3
        up = torch.randn(shape[0], r, *(1 for _ in shape[2:]), generator=generator) * 0.3
        made[name] = (down, up)
    return made


def deltas(pipe):
    """What is not zero after fusing."""
    pipe.fuse_lora()
    pipe.unload_lora_weights()
    found = {f"unet/{k}": v for k, v in pipe.unet.state_dict().items()}
    found |= {f"textEncoder/{text_name(k)}": v for k, v in pipe.text_encoder.state_dict().items()}
    return {k: v.clone().contiguous() for k, v in found.items() if v.dtype.is_floating_point and v.abs().max() > 0}


def fused(path):
    pipe = pipeline()
    pipe.load_lora_weights(str(path.parent), weight_name=path.name)
    return deltas(pipe)


def main():
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    g = torch.Generator().manual_seed(7)
    u, t = unet(), text()
    shapes = {k: list(v.shape) for k, v in u.state_dict().items()}
    text_shapes = {text_name(k): list(v.shape) for k, v in t.state_dict().items() if v.dtype.is_floating_point}
    (out / "base.json").write_text(json.dumps({"unet": shapes, "textEncoder": text_shapes, "config": UNET}))
    expected = {}

    def case(name, tensors, metadata=None):
        save_file({k: v.contiguous() for k, v in tensors.items()}, out / f"{name}.safetensors", {"format": "pt", **(metadata or {})})

    def expect(name, found): expected.update({f"{name}/{k}": v for k, v in found.items()})

    # kohya: every kind of module, ranks that differ, 1x1 convolutions in 4-D. One alpha for all: where they differ,
    # diffusers 0.42 gives attention modules the most common one, because its alpha_pattern keeps 'processor' in names
    modules = [f"{BLOCK}.attn1.to_q", f"{BLOCK}.attn2.to_k", f"{BLOCK}.attn2.to_out.0", f"{BLOCK}.ff.net.0.proj",
               f"{BLOCK}.ff.net.2", "mid_block.attentions.0.proj_in", "down_blocks.0.resnets.0.conv1",
               "down_blocks.0.downsamplers.0.conv", "down_blocks.1.resnets.0.conv_shortcut",
               "down_blocks.0.resnets.0.time_emb_proj"]
    # with out_proj: only its name ('to_out_lora') tells diffusers 0.42 how kohya's text attention is spelt
    te = ["text_model.encoder.layers.1.self_attn.q_proj", "text_model.encoder.layers.1.self_attn.out_proj",
          "text_model.encoder.layers.0.mlp.fc1"]
    both = {**{k.removesuffix(".weight"): v for k, v in shapes.items()},
            **{k.removesuffix(".weight"): v for k, v in text_shapes.items()}}
    made = factors(modules + te, both, g, rank=lambda i: 1 + i % 3)
    kohya = {}
    for name, (down, up) in made.items():
        key = ("lora_te_" if name in te else "lora_unet_") + name.replace(".", "_")
        kohya |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}
        kohya[f"{key}.alpha"] = torch.tensor(1.5)
    case("lora_kohya", kohya, {"ss_network_dim": "3", "ss_network_module": "networks.lora"})
    expect("lora_kohya", fused(out / "lora_kohya.safetensors"))
    # the same with LDM block numbers, which only block-numbered modules have
    ldm = {"mid_block_attentions_0_transformer_blocks_0": "middle_block_1_transformer_blocks_0",
           "mid_block_attentions_0_proj_in": "middle_block_1_proj_in",
           "down_blocks_0_resnets_0_conv1": "input_blocks_1_0_in_layers_2",
           "down_blocks_0_downsamplers_0_conv": "input_blocks_2_0_op",
           "down_blocks_1_resnets_0_conv_shortcut": "input_blocks_3_0_skip_connection",
           "down_blocks_0_resnets_0_time_emb_proj": "input_blocks_1_0_emb_layers_1"}
    def renamed(key):
        for a, b in ldm.items(): key = key.replace(a, b)
        return key
    case("lora_kohya_ldm", {renamed(k): v for k, v in kohya.items()})

    # diffusers with peft: saved by diffusers itself, alpha unlike the rank and patterns in the header
    pipe = pipeline()
    config = dict(init_lora_weights=False, r=2, lora_alpha=3)
    torch.manual_seed(1)
    unet_config = LoraConfig(**config, target_modules=["to_q", "to_k", "to_v", "to_out.0"],
                             rank_pattern={"mid_block.attentions.0.transformer_blocks.0.attn2.to_k": 3},
                             alpha_pattern={"mid_block.attentions.0.transformer_blocks.0.attn2.to_v": 5})
    pipe.unet.add_adapter(unet_config)
    pipe.text_encoder.add_adapter(LoraConfig(**config, target_modules=["q_proj", "out_proj"]))
    layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(pipe.unet))
    te_layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(pipe.text_encoder))
    StableDiffusionPipeline.save_lora_weights(
        str(out), unet_lora_layers=layers, text_encoder_lora_layers=te_layers, weight_name="lora_peft.safetensors",
        unet_lora_adapter_metadata=pipe.unet.peft_config["default"].to_dict(),
        text_encoder_lora_adapter_metadata=pipe.text_encoder.peft_config["default"].to_dict())
    expect("lora_peft", fused(out / "lora_peft.safetensors"))

    # the training scripts of diffusers 0.22, and the attention processors before 0.20
    names = [f"{BLOCK}.attn1.to_q", f"{BLOCK}.attn2.to_k", f"{BLOCK}.attn2.to_v", f"{BLOCK}.attn2.to_out.0"]
    made = factors(names + te[:2], both, g)
    scripts, old = {}, {}
    for name, (down, up) in made.items():
        if name in te:
            for files in (scripts, old):
                files |= {f"text_encoder.{name}.lora_linear_layer.down.weight": down,
                          f"text_encoder.{name}.lora_linear_layer.up.weight": up}
            continue
        scripts |= {f"unet.{name}.lora.down.weight": down, f"unet.{name}.lora.up.weight": up}
        site, projection = name.removesuffix(".0").rsplit(".", 1)
        old |= {f"unet.{site}.processor.{projection}_lora.down.weight": down,
                f"unet.{site}.processor.{projection}_lora.up.weight": up}
    case("lora_scripts", scripts)
    case("lora_processors", old)
    expect("lora_scripts", fused(out / "lora_scripts.safetensors"))
    torch.save(old, out / "lora_processors.bin")

    # peft alone: adapter_model.safetensors + adapter_config.json, scaled by alpha / sqrt(r)
    torch.manual_seed(2)
    model = get_peft_model(unet(), LoraConfig(r=4, lora_alpha=3, use_rslora=True, init_lora_weights=False,
                                              target_modules=["mid_block.attentions.0.transformer_blocks.0.attn2.to_v",
                                                              "mid_block.attentions.0.proj_in"]))
    model.save_pretrained(str(out / "peft"))
    (out / "peft/README.md").unlink(missing_ok=True)
    merged = model.merge_and_unload().state_dict()
    expect("peft", {f"unet/{k}": v.clone().contiguous() for k, v in merged.items() if v.abs().max() > 0})

    # textual inversion
    rows = torch.arange(3 * WIDTH, dtype=torch.float32).reshape(3, WIDTH) / 8
    save_file({"<miso>": rows[0].clone()}, out / "ti_one.safetensors", {"format": "pt"})
    save_file({"<miso>": rows}, out / "ti_many.safetensors", {"format": "pt"})
    save_file({"emb_params": rows.half()}, out / "ti_kohya.safetensors", {"format": "pt"})
    save_file({"clip_l": rows, "clip_g": torch.zeros(3, 16)}, out / "ti_sdxl.safetensors", {"format": "pt"})
    torch.save({"<miso>": rows[1]}, out / "ti_diffusers.bin")
    torch.save(rows, out / "ti_bare.pt")
    torch.save({"string_to_token": {"*": 265}, "string_to_param": {"*": torch.nn.Parameter(rows)}, "name": "miso",
                "step": 500, "sd_checkpoint": None, "sd_checkpoint_name": None}, out / "ti_a1111.pt")
    # a view with strides and an offset, in half precision
    torch.save({"<miso>": torch.cat([rows.T, rows.T]).half()[WIDTH:].T}, out / "ti_strided.pt")
    torch.save({"<miso>": rows}, out / "ti_legacy.pt", _use_new_zipfile_serialization=False)
    class Evil:
        def __reduce__(self): return (exec, ("raise SystemExit('the pickle ran')",))
    torch.save({"<miso>": rows, "extra": Evil()}, out / "ti_evil.pt")

    # Custom Diffusion as diffusers saves it, and Adobe's deltas
    custom = unet(3)
    processors = {}
    for name in custom.attn_processors:
        site = custom.get_submodule(name.removesuffix(".processor"))
        cross = WIDTH if "attn2" in name else None
        processor = CustomDiffusionAttnProcessor(train_kv=cross is not None, train_q_out=False, cross_attention_dim=cross,
                                                 hidden_size=site.to_q.weight.shape[0])
        processors[name] = processor
    custom.set_attn_processor(processors)
    custom.save_attn_procs(str(out), weight_name="custom_diffusion.bin", safe_serialization=False)
    custom.save_attn_procs(str(out), weight_name="custom_diffusion.safetensors")
    full = {k.replace(".processor.", ".").replace("_custom_diffusion", ""): v
            for k, v in load_file(out / "custom_diffusion.safetensors").items()}
    expect("custom_diffusion", {f"unet/{k}": v for k, v in full.items()})
    words = {"<new1>": rows[0], "<new2>": rows[1]}
    torch.save({"unet": full, "modifier_token": words}, out / "adobe.bin")
    # the algorithm of Adobe's compress.py, against a base of zeros
    compressed = {}
    for name, w in full.items():
        left, s, right = torch.linalg.svd(w)
        r = next(i for i in range(len(s)) if s[:i + 1].sum() / s.sum() > 0.6)
        compressed[name] = {"u": (left[:, :r] @ torch.diag(s[:r])).clone(), "v": right[:r].clone()}
    torch.save({"unet": compressed, "modifier_token": words}, out / "adobe_compressed.bin")
    expect("adobe_compressed", {f"unet/{k}": v["u"] @ v["v"] for k, v in compressed.items() if v["v"].shape[0]})
    save_file(expected, out / "expected.safetensors")


if __name__ == "__main__":
    main()
