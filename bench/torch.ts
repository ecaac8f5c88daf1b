import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type StoredTensor, storedTensor, writeSafetensors } from '../src/formats/safetensors';
import * as op from '../src/onnx/ops';
import { openBackend } from '../src/runtime/backend';
import { usableThreads } from '../src/runtime/capabilities';
import { loadOrtNode } from '../src/runtime/ort-node';
import { WeightStore } from '../src/runtime/weights';
import { adamw } from '../src/training/adamw';
import { compileStep } from '../src/training/step';
import { type Bench, type Contender, type Measurement, takeTurns, timed } from './measure';
import { benchUNet, UNETS } from './networks';
import { createBench } from './programs';

const SPEC = { backend: 'node', unet: 'starter', batch: 2 } as const;

/** Training steps, by the parameters that they train. */
const STEPS = { 'K and V': 'attn2\\.to_[kv]', 'all weights': '' };

/** Our graphs in onnxruntime-node against PyTorch eager: same weights, same inputs, same threads. */
export const torch: Bench = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bench-torch-'));
  try {
    const peer = await startPeer(folder);
    if (!peer) return { skipped: `${python} has no torch and diffusers; set PYTHON to one that has` };
    try {
      const node = createBench(loadOrtNode);
      const [ours, theirs] = [await node.output(SPEC), await peer.ask('forward', 0)];
      const error = Math.max(...theirs.map((v, i) => Math.abs(v - ours[i]!)));
      if (!(error < 1e-3)) throw new Error(`the outputs differ by ${error}: not the same network`);
      const measurements = compared('forward', peer.version, 1, {
        ours: (runs) => node.time(SPEC, runs),
        theirs: (runs) => peer.ask('forward', runs),
      });
      return [await measurements, ...(await steps(peer))].flat();
    } finally {
      peer.process.kill();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

async function compared(
  what: string,
  version: string,
  target: number,
  contenders: Readonly<Record<'ours' | 'theirs', Contender>>,
): Promise<Measurement[]> {
  const times = await takeTurns(contenders, { turns: 4, runs: 2 });
  const name = `starter UNet, ${SPEC.batch} rows, ${what}`;
  return [
    { name: `${name}, ours on onnxruntime-node`, value: times.ours, unit: 'ms' },
    { name: `${name}, PyTorch ${version} eager`, value: times.theirs, unit: 'ms' },
    { name: `${what}, ours ÷ PyTorch`, value: times.ours / times.theirs, unit: '×', target },
  ];
}

/** Steps of AdamW with clipped gradients. */
async function steps(peer: Peer): Promise<Measurement[]> {
  const backend = await openBackend('node', { load: loadOrtNode });
  const measurements: Measurement[] = [];
  for (const [what, pattern] of Object.entries(STEPS)) {
    const { graph: g, outputs, feeds, source } = benchUNet(SPEC.unet, SPEC.batch);
    const base = new WeightStore(backend, source);
    const difference = op.sub(g, outputs.output, g.feed('target', outputs.output.shape));
    const square = op.mul(g, difference, difference);
    const loss = op.reduceMean(g, square, [...square.shape.keys()], false);
    const names = [...source.shapes.keys()].filter((name) => new RegExp(pattern).test(name));
    const weights = base.fork(names);
    const trainer = await compileStep(g, loss, names, weights, { optimiser: adamw(), maxGradNorm: 1 });
    const step = () => trainer.step({ ...feeds, target: feeds.sample! }, 1e-6);
    const [ours, [theirs]] = [(await step()).loss, await peer.ask(`step ${pattern}`, 0)];
    if (!(Math.abs(ours - theirs!) < 1e-4 * ours)) throw new Error(`losses differ: ${ours} and ${theirs}`);
    const contenders = { ours: timed(step), theirs: (runs: number) => peer.ask(`step ${pattern}`, runs) };
    measurements.push(...(await compared(`step of ${what}`, peer.version, 1.2, contenders)));
    await trainer.dispose();
    weights.dispose();
    base.dispose();
  }
  return measurements;
}

const python = process.env.PYTHON ?? 'python3';

interface Peer {
  readonly process: ChildProcess;
  readonly version: string;
  readonly ask: (what: string, runs: number) => Promise<number[]>;
}

/** Null where Python, torch or diffusers is missing. */
async function startPeer(folder: string): Promise<Peer | null> {
  const { source, feeds } = benchUNet(SPEC.unet, SPEC.batch);
  const tensors: Record<string, StoredTensor> = {};
  for (const name of source.shapes.keys()) tensors[name] = storedTensor(await source.load(name));
  for (const name of ['sample', 'encoder_hidden_states']) tensors[`in.${name}`] = storedTensor(feeds[name]!);
  tensors['in.target'] = storedTensor(feeds.sample!);
  const [config, weights] = [join(folder, 'config.json'), join(folder, 'weights.safetensors')];
  await writeFile(config, JSON.stringify(UNETS[SPEC.unet]));
  await writeFile(weights, writeSafetensors(tensors));

  const script = join(import.meta.dirname, 'torch_unet.py');
  const child = spawn(python, [script, config, weights, String(usableThreads())], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = new Promise<undefined>((resolve) => {
    child.on('error', () => resolve(undefined));
    child.on('exit', () => resolve(undefined));
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async <T>(): Promise<T | undefined> => {
    const line = await Promise.race([lines.next(), ended]);
    return line?.value === undefined ? undefined : (JSON.parse(line.value) as T);
  };
  const hello = await answer<{ torch: string }>();
  if (!hello) return null;
  const ask = async (what: string, runs: number): Promise<number[]> => {
    child.stdin.write(`${JSON.stringify([what, runs])}\n`);
    const times = await answer<number[]>();
    if (!times) throw new Error('PyTorch ended');
    return times;
  };
  return { process: child, version: hello.torch, ask };
}
