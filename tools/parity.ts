import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runOnNode } from '../src/onnx/run-node';
import { parity, type RunGraph } from './parity/parity';

const onNode: RunGraph = (g, outputs, feeds, weights) =>
  runOnNode(g, outputs, new Map([...weights, ...feeds]));

const { positionals } = parseArgs({ allowPositionals: true, options: { backend: { type: 'string' } } });
let ok = true;
for (const dir of positionals) {
  for (const name of (await readdir(dir)).filter((n) => /^tiny_unet.*\.safetensors$/.test(n)).sort()) {
    for (const line of await parity(name, await readFile(join(dir, name)), onNode)) {
      console.log(JSON.stringify(line));
      ok &&= line.ok;
    }
  }
}
process.exitCode = ok ? 0 : 1;
