import { AppError } from '../util/errors';
import { createLogger } from '../util/log';
import { type Backend, type BackendOptions, openBackend } from './backend';
import { type BackendName, type Capabilities, type Environment, probeCapabilities } from './capabilities';
import { selfTest } from './self-test';

const log = createLogger('runtime');

export interface StartOptions extends Omit<BackendOptions, 'layout' | 'subgroups'> {
  /** Use this backend or none, also WebGPU on a software adapter. Default: the best that computes correctly. */
  readonly force?: BackendName;
  readonly env?: Environment;
}

type Candidate = { readonly name: BackendName } & Pick<BackendOptions, 'layout' | 'subgroups'>;

/** In the order tried: each avoids one more thing that drivers are known to get wrong. */
const WEBGPU: readonly Candidate[] = [
  { name: 'webgpu', layout: 'NHWC' },
  { name: 'webgpu', layout: 'NHWC', subgroups: false },
  { name: 'webgpu', layout: 'NCHW', subgroups: false },
];

/**
 * Open the best backend that computes known numbers correctly: WebGPU on a real GPU, else WASM; in Node, Node's.
 * A software WebGPU adapter is about a hundred times slower than WASM, so it is used only by force.
 *
 * @returns the backend, and capabilities whose `notes` say why a better one was passed over
 * @throws AppError of the last candidate when none works
 */
export async function startBackend(
  options: StartOptions,
): Promise<{ readonly backend: Backend; readonly capabilities: Capabilities }> {
  const probed = await probeCapabilities(options.env);
  const notes = [...probed.notes];
  let failure: unknown = new AppError('BAD_REQUEST', `there is no ${options.force} backend here`);
  for (const candidate of candidates(probed, options.force)) {
    try {
      const backend = await openTested({ ...options, ...candidate }, candidate.name);
      const { threads } = backend;
      return { backend, capabilities: { ...probed, backend: candidate.name, threads, notes } };
    } catch (error) {
      failure = error;
      const note = `${describe(candidate)} was passed over: ${(error as Error).message}.`;
      log.warn(note);
      notes.push(note);
    }
  }
  throw failure;
}

async function openTested(options: BackendOptions, name: BackendName): Promise<Backend> {
  const backend = await openBackend(name, options);
  try {
    await selfTest(backend);
    return backend;
  } catch (error) {
    backend.dispose();
    throw error;
  }
}

function candidates({ backends, adapter }: Capabilities, force?: BackendName): readonly Candidate[] {
  const usable = force ? backends.filter((name) => name === force) : backends;
  return usable.flatMap((name): readonly Candidate[] => {
    if (name !== 'webgpu') return [{ name }];
    return force || !adapter?.software ? WEBGPU : [];
  });
}

const describe = ({ name, layout, subgroups }: Candidate): string =>
  name === 'webgpu' ? `WebGPU (${layout}${subgroups === false ? ', no subgroups' : ''})` : name;
