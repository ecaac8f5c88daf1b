import type { ConceptBase, Network, Shape, WeightShapes } from './concept-base';
import { ldmUNetNames } from './keys-ldm';

/** A Linear or convolution of the base that a LoRA may change. */
export interface Module {
  readonly network: Network;
  /** state-dict path without '.weight', in the base's spelling */
  readonly path: string;
  /** of the weight: [out, in] or [out, in, k, k] */
  readonly shape: Shape;
}

/** Dots become underscores: 'attn2.to_out.0' → 'attn2_to_out_0'. Not invertible, hence tables. */
const underscored = (path: string): string => path.replaceAll('.', '_');

/** kohya's name of a module: A1111, Forge, ComfyUI, InvokeAI and diffusers all read it. */
export const kohyaName = ({ network, path }: Pick<Module, 'network' | 'path'>): string =>
  (network === 'unet' ? 'lora_unet_' : 'lora_te_') + underscored(path);

/** The weights with an input and an output axis. */
function modulesOf(network: Network, weights: WeightShapes): Module[] {
  return [...weights]
    .filter(
      ([name, shape]) => name.endsWith('.weight') && shape.length >= 2 && !/embedding\.weight$/.test(name),
    )
    .map(([name, shape]) => ({ network, path: name.slice(0, -'.weight'.length), shape }));
}

/**
 * Every name that some dialect uses for a module of this base → the module. kohya's names are generated from the
 * base because they cannot be decoded ('to_out_0' has lost which underscores were dots).
 *
 * @see FORMATS.md 3.2
 */
export function moduleNames(base: Pick<ConceptBase, 'unet' | 'textEncoder'>): ReadonlyMap<string, Module> {
  const names = new Map<string, Module>();
  const add = (module: Module, ...aliases: string[]): void => {
    for (const alias of aliases) names.set(alias, module);
  };
  const ldm = ldmUNetNames(base.unet.keys());
  for (const module of modulesOf('unet', base.unet)) {
    const { path } = module;
    const ldmPath = ldm.get(`${path}.weight`)!.replace(/\.weight$/, '');
    // files trained on an LDM-named UNet (SDXL's, mostly) spell its block numbers
    add(module, path, `unet.${path}`, kohyaName(module), `lora_unet_${underscored(ldmPath)}`);
  }
  for (const module of modulesOf('textEncoder', base.textEncoder)) {
    const { path } = module;
    // transformers 5 drops 'text_model.'
    for (const spelling of [path, path.replace(/^text_model\./, '')]) {
      const dotted = `text_encoder.${spelling}`;
      add(module, spelling, dotted, `lora_te_${underscored(spelling)}`, `lora_te1_${underscored(spelling)}`);
      // diffusers before 0.17 called the text encoder's projections as it calls the UNet's
      add(module, dotted.replace('.out_proj', '.to_out.0').replace(/\.([qkv])_proj$/, '.to_$1'));
    }
  }
  return names;
}
