/** Command line of the parity check: one JSON line per compared quantity. Exit code 1: a forward is off; 2: bad usage. */
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { BackendName } from '../src/runtime/capabilities';
import { BACKENDS } from './parity/backends';

const USAGE = 'usage: npm run parity -- DIR... [--backend node|wasm|webgpu]';

class UsageError extends Error {}

function readArguments(): { dirs: readonly string[]; backend: BackendName } {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { backend: { type: 'string', default: 'node' } },
    });
    if (positionals.length === 0) throw new Error('name at least one folder');
    if (!Object.hasOwn(BACKENDS, values.backend)) throw new Error(`no backend "${values.backend}"`);
    return { dirs: positionals, backend: values.backend as BackendName };
  } catch (error) {
    throw new UsageError(`${(error as Error).message}; ${USAGE}`);
  }
}

/** The reference files of a folder, sorted. */
async function referenceFiles(dir: string): Promise<readonly string[]> {
  const entries = await readdir(dir).catch(() => {
    throw new UsageError(`cannot read the folder ${dir}; ${USAGE}`);
  });
  const names = entries.filter((name) => /^tiny_.*\.safetensors$/.test(name)).sort();
  if (names.length === 0) throw new UsageError(`${dir} holds no tiny_*.safetensors; ${USAGE}`);
  return names.map((name) => join(dir, name));
}

async function main(): Promise<number> {
  const { dirs, backend } = readArguments();
  const files = (await Promise.all(dirs.map(referenceFiles))).flat();
  let ok = true;
  await BACKENDS[backend](async (compare) => {
    for (const path of files) {
      const file = basename(path);
      const lines = await compare(path).catch((error: Error) => [
        { file, quantity: 'forward', relErr: null, ok: false, error: error.message },
      ]);
      for (const line of lines) {
        console.log(JSON.stringify(line));
        ok &&= line.ok;
      }
    }
  });
  return ok ? 0 : 1;
}

process.exitCode = await main().catch((error: unknown) => {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  return 2;
});
