import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { BackendName } from '../../src/runtime/capabilities';
import { BACKENDS } from './backends';

const USAGE = 'usage: npm run parity -- DIR... [--backend node|wasm|webgpu]';

class UsageError extends Error {}

function readArguments(args: readonly string[]): { dirs: readonly string[]; backend: BackendName } {
  try {
    const { positionals, values } = parseArgs({
      args: [...args],
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

async function compareAll(args: readonly string[], print: Print): Promise<number> {
  const { dirs, backend } = readArguments(args);
  const files = (await Promise.all(dirs.map(referenceFiles))).flat();
  let ok = true;
  await BACKENDS[backend](async (compare) => {
    for (const path of files) {
      const file = basename(path);
      const lines = await compare(path).catch((error: Error) => [
        { file, quantity: 'forward', relErr: null, ok: false, error: error.message },
      ]);
      for (const line of lines) {
        print.line(JSON.stringify(line));
        ok &&= line.ok;
      }
    }
  });
  return ok ? 0 : 1;
}

/** Where the command writes: stdout and stderr. */
export interface Print {
  readonly line: (text: string) => void;
  readonly complaint: (text: string) => void;
}

/**
 * The parity check: one JSON line per compared quantity.
 *
 * @returns the exit code: 0 all agree, 1 something is off, 2 bad usage (explained in one line)
 */
export const main = (args: readonly string[], print: Print): Promise<number> =>
  compareAll(args, print).catch((error: unknown) => {
    if (!(error instanceof UsageError)) throw error;
    print.complaint(error.message);
    return 2;
  });
