"""Do diffusers' networks with OUR files loaded compute what they compute with OUR changes applied to the weights?

A tiny SD with random weights; concepts of make_concepts.py are read by us and written anew (write-concepts.ts), then
loaded by diffusers. Prints the largest difference of UNet outputs and text states, relative to their spread, and exits 1
above 1e-3. A file in fp16 is compared with its own rounded changes; what the rounding itself does to the outputs is
printed beside it, as is how far the concept moves them. Run by hand: python tools/oracle/check_concepts.py
"""
import json, shutil, subprocess, sys, tempfile, warnings
from pathlib import Path

warnings.filterwarnings("ignore")
import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPTokenizer

import make_concepts as make

root = Path(__file__).parents[2]
LIMIT = 1e-3
INPUTS = {  # which concept -> which of our files
    "lora_kohya.safetensors": ["kohya.safetensors", "kohya32.safetensors", "peft.safetensors"],
    "lora_peft.safetensors": ["peft.safetensors"],
    "lora_uniform.safetensors": ["kohya.safetensors", "kohya32.safetensors", "peft.safetensors"],
    "lora_scripts.safetensors": ["kohya.safetensors", "kohya32.safetensors", "peft.safetensors"],
    "custom_diffusion.bin": ["custom", "kohya.safetensors"],
    "adobe.bin": ["custom", "kohya.safetensors"],
}
WORDS = ["ti_one.safetensors", "ti_many.safetensors", "ti_a1111.pt"]


def outputs(pipe, seed=5):
    g = torch.Generator().manual_seed(seed)
    x, context = torch.randn(2, 4, 8, 8, generator=g), torch.randn(2, 7, make.WIDTH, generator=g)
    ids = torch.randint(0, make.TEXT["vocab_size"], (2, 9), generator=g)
    with torch.no_grad():
        return pipe.unet(x, 300, context).sample, pipe.text_encoder(ids).last_hidden_state


def relative(a, b): return ((a - b).abs().max() / b.std()).item()


def effective(pipe, path):
    """Our weights W' in place of the base's."""
    own = load_file(path)
    for network, module in (("unet", pipe.unet), ("textEncoder", pipe.text_encoder)):
        names = {k: v for k, v in module.state_dict().items()}
        for key, value in own.items():
            which, name = key.split("/", 1)
            if which != network: continue
            name = name if name in names else name.removeprefix("text_model.")
            names[name].copy_(value)
    return pipe


def tokenizer(folder):
    words = ["<|startoftext|>", "<|endoftext|>", "c</w>"]
    (folder / "vocab.json").write_text(json.dumps({w: i for i, w in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))


def main():
    folder = Path(tempfile.mkdtemp())
    (folder / "in").mkdir()
    pipe = make.pipeline(11)
    state = {f"unet/{k}": v for k, v in pipe.unet.state_dict().items()}
    state |= {f"textEncoder/{make.text_name(k)}": v for k, v in pipe.text_encoder.state_dict().items() if v.is_floating_point()}
    save_file({k: v.contiguous() for k, v in state.items()}, folder / "base.safetensors")
    shutil.copy(make.out / "base.json", folder)
    for name in [*INPUTS, *WORDS]:
        if (make.out / name).exists(): shutil.copy(make.out / name, folder / "in")
    # lora_peft has alphas that differ, which diffusers mixes up in kohya files (see make_concepts.py); without its
    # metadata and its one module of another rank they are equal
    uniform = load_file(make.out / "lora_peft.safetensors")
    uniform = {k: v for k, v in uniform.items() if not (k.startswith("unet.mid_block") and "attn2.to_k" in k)}
    save_file(uniform, folder / "in/lora_uniform.safetensors", {"format": "pt"})
    subprocess.run(["npx", "tsx", "tools/oracle/write-concepts.ts", str(folder)], cwd=root, check=True)

    worst = 0.0
    reference_base = outputs(pipe)
    print(f"{'our file':52}{'UNet':>12}{'text':>12}{'concept':>10}{'fp16':>10}")
    for name, files in INPUTS.items():
        out = folder / "out" / Path(name).stem
        exact = outputs(effective(make.pipeline(11), out / "effective.safetensors"))
        moved = relative(reference_base[0], exact[0])
        for file in files:
            loaded = make.pipeline(11)
            if file == "custom":
                loaded.unet.load_attn_procs(str(out / file), _pipeline=loaded,
                                            weight_name="pytorch_custom_diffusion_weights.safetensors")
            else:
                loaded.load_lora_weights(str(out), weight_name=file)
            found, wanted, rounding = outputs(loaded), exact, ""
            if file == "kohya.safetensors" and (out / "effective16.safetensors").exists():
                wanted = outputs(effective(make.pipeline(11), out / "effective16.safetensors"))
                rounding = f"{max(relative(w, e) for w, e in zip(wanted, exact)):10.2e}"
            unet, text = relative(found[0], wanted[0]), relative(found[1], wanted[1])
            worst = max(worst, unet, text)
            print(f"{name + ' -> ' + file:52}{unet:12.2e}{text:12.2e}{moved:10.2f}{rounding}", flush=True)
    for name in WORDS:
        for file in ("word.safetensors", "word.diffusers.safetensors"):
            loaded = make.pipeline(11)
            loaded.tokenizer = tokenizer(folder)
            path = folder / "out" / Path(name).stem
            original = load_file(path / "word.diffusers.safetensors")
            rows = next(iter(original.values())).reshape(-1, make.WIDTH)
            before = len(loaded.tokenizer)
            loaded.load_textual_inversion(str(path), weight_name=file, token="<miso>")
            table = loaded.text_encoder.get_input_embeddings().weight[before:before + len(rows)]
            difference = (table - rows).abs().max().item()
            worst = max(worst, difference)
            print(f"{name + ' -> ' + file:52}{'':12}{difference:12.2e}{len(rows):7d} row{'s' if len(rows) > 1 else ''}")
    print(f"worst {worst:.2e}, limit {LIMIT}")
    shutil.rmtree(folder)
    sys.exit(worst > LIMIT)


if __name__ == "__main__":
    main()
