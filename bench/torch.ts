import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type StoredTensor, storedTensor, writeSafetensors } from '../src/formats/safetensors';
import { usableThreads } from '../src/runtime/capabilities';
import { loadOrtNode } from '../src/runtime/ort-node';
import { type Bench, takeTurns } from './measure';
import { benchUNet, UNETS } from './networks';
import { createBench } from './programs';

const SPEC = { backend: 'node', unet: 'starter', batch: 2 } as const;

/** Our graph in onnxruntime-node against PyTorch eager: same weights, same inputs, same threads. */
export const torch: Bench = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bench-torch-'));
  try {
    const peer = await startPeer(folder);
    if (!peer) return { skipped: `${python} has no torch and diffusers; set PYTHON to one that has` };
    try {
      const node = createBench(loadOrtNode);
      const [ours, theirs] = [await node.output(SPEC), await peer.ask(0)];
      const error = Math.max(...theirs.map((v, i) => Math.abs(v - ours[i]!)));
      if (!(error < 1e-3)) throw new Error(`the outputs differ by ${error}: not the same network`);
      const times = await takeTurns({ ours: (runs) => node.time(SPEC, runs), theirs: peer.ask });
      return [
        { name: 'starter UNet, 2 rows, ours on onnxruntime-node', value: times.ours, unit: 'ms' },
        { name: `starter UNet, 2 rows, PyTorch ${peer.version} eager`, value: times.theirs, unit: 'ms' },
        { name: 'ours ÷ PyTorch', value: times.ours / times.theirs, unit: '×', target: 1 },
      ];
    } finally {
      peer.process.kill();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

const python = process.env.PYTHON ?? 'python3';

interface Peer {
  readonly process: ChildProcess;
  readonly version: string;
  readonly ask: (runs: number) => Promise<number[]>;
}

/** Null where Python, torch or diffusers is missing. */
async function startPeer(folder: string): Promise<Peer | null> {
  const { source, feeds } = benchUNet(SPEC.unet, SPEC.batch);
  const tensors: Record<string, StoredTensor> = {};
  for (const name of source.shapes.keys()) tensors[name] = storedTensor(await source.load(name));
  for (const name of ['sample', 'encoder_hidden_states']) tensors[`in.${name}`] = storedTensor(feeds[name]!);
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
  const ask = async (runs: number): Promise<number[]> => {
    child.stdin.write(`${runs}\n`);
    const times = await answer<number[]>();
    if (!times) throw new Error('PyTorch ended');
    return times;
  };
  return { process: child, version: hello.torch, ask };
}
