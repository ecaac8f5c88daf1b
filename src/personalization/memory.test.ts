import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { InferenceSession } from 'onnxruntime-common';
import { afterAll, expect, test } from 'vitest';
import type { ModelParts } from '../diffusion/model';
import { fromInputs } from '../models/params';
import { unet, unetInputs } from '../models/unet';
import { parseUNetConfig } from '../models/unet-config';
import { recordWeights } from '../models/weights';
import { Graph } from '../onnx/graph';
import { type Backend, openBackend } from '../runtime/backend';
import { estimateRun, type RunEstimate } from '../runtime/memory';
import { loadOrtNode } from '../runtime/ort-node';
import { compile } from '../runtime/session';
import { WeightStore } from '../runtime/weights';
import { tinyModel } from '../training/tiny-model';
import { type NdArray, sizeOf, zeros } from '../util/nd-array';
import { noData, type Recomputed, stepOnce } from './memory-cases';
import { personalizationMethods } from './methods';

const [BATCH, SIDE] = [2, 8];
const profiles = mkdtempSync(join(tmpdir(), 'profiles-'));
afterAll(() => rmSync(profiles, { recursive: true }));

/** A backend whose sessions profile themselves, and what the last one says that its runs took at most, in bytes. */
async function counting(): Promise<{ backend: Backend; counted: () => number }> {
  const opened = await openBackend('node', { load: loadOrtNode, threads: 1 });
  const { InferenceSession: Session } = opened.ort;
  let session: InferenceSession | undefined;
  const create = async (model: Uint8Array, options: InferenceSession.SessionOptions) => {
    const profiled = { enableProfiling: true, profileFilePrefix: join(profiles, 'run') };
    session = await Session.create(model, { ...options, ...profiled });
    return session;
  };
  const ort = { ...opened.ort, InferenceSession: { ...Session, create } as unknown as typeof Session };
  return {
    backend: { ...opened, ort },
    counted() {
      session!.endProfiling();
      const file = join(profiles, readdirSync(profiles)[0]!);
      const events = JSON.parse(readFileSync(file, 'utf8')) as readonly {
        readonly name: string;
        readonly args?: Readonly<Record<string, string>>;
      }[];
      rmSync(file);
      const kernels = events.filter(({ name }) => name.endsWith('_kernel_time'));
      const [first, last] = [kernels[0]!.args!, kernels.at(-1)!.args!];
      const before = Number(first.mem_bytes_in_use) - Number(first.mem_in_use_delta);
      return Number(last.mem_in_use_peak) - before;
    },
  };
}

const bytes = (feeds: Readonly<Record<string, NdArray>>): number =>
  Object.values(feeds).reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);

function agree({ activations }: RunEstimate, counted: number): void {
  const ratio = activations / counted;
  expect(ratio, `predicted ${activations}, counted ${counted}`).toBeGreaterThan(0.85);
  expect(ratio, `predicted ${activations}, counted ${counted}`).toBeLessThan(1.15);
}

/** The bundled starter's UNet. */
const config = join(import.meta.dirname, '../../public/models/starter/unet/config.json');
const STARTER = parseUNetConfig(JSON.parse(readFileSync(config, 'utf8')));

/** The tiny model, with a UNet of the starter's size and a text encoder as wide as that wants. */
function model(backend: Backend, size: 'tiny' | 'starter'): ModelParts {
  const tiny = tinyModel(backend);
  if (size === 'tiny') return tiny;
  const at = { batch: 1, height: SIDE, width: SIDE, tokens: 1 };
  const shapes = recordWeights((g, params) => unet(g, params, unetInputs(g, STARTER, at), STARTER));
  const weights = new WeightStore(backend, { shapes, load: async (name) => zeros(shapes.get(name)!) });
  return { ...tiny, unet: { config: STARTER, weights } };
}

test.each(['tiny', 'starter'] as const)(
  'the peak of a forward pass is predicted to 15 percent: %s',
  async (size) => {
    const { backend, counted } = await counting();
    const { config, weights } = model(backend, size).unet;
    const g = new Graph();
    const side = 2 * SIDE;
    const inputs = unetInputs(g, config, { batch: BATCH, height: side, width: side, tokens: 12 });
    const output = unet(g, fromInputs(g), inputs, config);
    const program = await compile(g, { output }, weights);
    const feeds = noData(program.feeds);
    await program.run(feeds);
    agree(estimateRun(g, [output], { backend: 'node' }), counted() + bytes(feeds));
    await program.dispose();
  },
);

test.each(
  Object.keys(personalizationMethods).flatMap((name) =>
    ([[], ['block'], ['block', 'tile']] as readonly Recomputed[]).map(
      (recompute) => [name, recompute] as const,
    ),
  ),
)('the peak of a step is predicted to 15 percent: %s, recomputed: [%s]', async (name, recompute) => {
  const { backend, counted } = await counting();
  const { trainer, feeds } = await stepOnce(model(backend, 'tiny'), name, recompute);
  agree(trainer.memory, counted() + bytes(feeds));
  await trainer.dispose();
});

test.each([
  ['dreambooth-lora', []],
  ['dreambooth', []],
  ['dreambooth', ['block']],
] as readonly (readonly [string, Recomputed])[])(
  'the peak of a step of the starter is predicted to 15 percent: %s, recomputed: [%s]',
  async (name, recompute) => {
    const { backend, counted } = await counting();
    const { trainer, feeds } = await stepOnce(model(backend, 'starter'), name, recompute);
    agree(trainer.memory, counted() + bytes(feeds));
    await trainer.dispose();
  },
);
