import { type ByteSource, checkRange, type FileTree } from '../util/byte-source';
import { AppError } from '../util/errors';

/** Fetched when a file is opened, bytes: covers small files whole and the header of any safetensors file of SD size. */
const FIRST = 512 * 1024;

interface Part {
  readonly bytes: Uint8Array;
  /** of the whole file */
  readonly size: number;
}

/** Bytes [begin, end) of a file, or all of it where the host ignores Range; null: no such file. */
async function fetchPart(url: URL, begin: number, end: number): Promise<(Part & { whole: boolean }) | null> {
  let response: Response;
  try {
    response = await fetch(url, { headers: { Range: `bytes=${begin}-${end - 1}` } });
  } catch (error) {
    throw new AppError('NETWORK', `could not fetch ${url.pathname}: ${(error as Error).message}`);
  }
  const discard = (): void => void response.body?.cancel();
  if (response.status === 404 || response.headers.get('content-type')?.startsWith('text/html')) {
    // A host made for single-page programs answers a missing file with the page.
    discard();
    return null;
  }
  // An empty file has no range to satisfy.
  if (response.status === 416) {
    discard();
    return { bytes: new Uint8Array(), size: 0, whole: true };
  }
  if (!response.ok) {
    discard();
    throw new AppError('NETWORK', `could not fetch ${url.pathname}: the host answered ${response.status}`);
  }
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw new AppError('NETWORK', `the connection broke in ${url.pathname}: ${(error as Error).message}`);
  }
  if (response.status !== 206) return { bytes, size: bytes.length, whole: true };
  const [, from, size] = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '') ?? [];
  const whole = Number(from) === 0 && bytes.length === Number(size);
  if (size === undefined || Number(from) !== begin || bytes.length !== Math.min(end, Number(size)) - begin) {
    throw new AppError('NETWORK', `the host answered the wrong part of ${url.pathname}`);
  }
  return { bytes, size: Number(size), whole };
}

/**
 * A folder on a web host, read by ranges. A host that ignores Range sends each file whole once, which is then kept.
 *
 * @param base address of the folder, ending in '/'
 */
export function httpTree(base: URL, name: string): FileTree {
  return {
    name,
    async open(path): Promise<ByteSource | null> {
      const url = new URL(path, base);
      const first = await fetchPart(url, 0, FIRST);
      if (!first) return null;
      const { size } = first;
      let held: Uint8Array = first.bytes;
      return {
        name: path,
        size,
        async read(begin, end) {
          checkRange(path, size, begin, end);
          if (end <= held.length) return held.slice(begin, end);
          const part = await fetchPart(url, begin, end);
          if (part?.size !== size)
            throw new AppError('NETWORK', `${path} changed on the host while it was read`);
          if (!part.whole) return part.bytes;
          held = part.bytes;
          return held.slice(begin, end);
        },
      };
    },
  };
}
