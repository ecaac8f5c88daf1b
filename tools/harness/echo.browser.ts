import { AppError } from '../../src/util/errors';

const kept: unknown[] = [];

/** For the harness's own test: gives back what it got, or throws. */
export async function run(
  input: {
    readonly data?: Float32Array;
    readonly fail?: string;
    readonly fetch?: string;
    readonly keep?: number;
  },
  emit: (event: { readonly isolated: boolean } | number) => void,
): Promise<unknown> {
  if (input.fail) throw new AppError('TOO_BIG', input.fail, { limit: 3 });
  if (input.keep) kept.push(Array.from({ length: input.keep }, () => ({})));
  if (input.fetch) {
    const response = await fetch(input.fetch, { headers: { Range: 'bytes=1-4' } });
    return { status: response.status, text: await response.text() };
  }
  emit({ isolated: globalThis.crossOriginIsolated });
  for (let i = 0; i < 20; i++) emit(i);
  return input.data?.map((v) => 2 * v);
}
