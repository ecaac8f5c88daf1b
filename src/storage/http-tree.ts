import { type ByteSource, checkRange, type FileTree } from '../util/byte-source';
import { AppError } from '../util/errors';

/** Fetched when a file is opened, bytes: covers small files whole and the header of any safetensors file of SD size. */
const FIRST = 512 * 1024;

/** A file up to this size is fetched whole once more than its beginning is read, bytes: a request for each tensor takes longer. */
const SMALL = 64 * 1024 * 1024;

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
 * A folder on a web host: small files are fetched whole, large ones read by ranges. A host that ignores Range sends each
 * file whole once. What came whole is kept while the file is in use.
 *
 * @param base address of the folder, ending in '/'
 * @param small bytes; files larger than this are read by ranges
 */
export function httpTree(base: URL, name: string, small = SMALL): FileTree {
  return {
    name,
    async open(path): Promise<ByteSource | null> {
      const url = new URL(path, base);
      const first = await fetchPart(url, 0, FIRST);
      if (!first) return null;
      const { size } = first;
      let held: Uint8Array = first.bytes;
      let filling: Promise<unknown> | null = null;
      const fetchMore = async (begin: number, end: number): Promise<Uint8Array | null> => {
        const part = await fetchPart(url, begin, end);
        if (part?.size !== size)
          throw new AppError('NETWORK', `${path} changed on the host while it was read`);
        if (!part.whole) return part.bytes;
        held = part.bytes;
        return null;
      };
      return {
        name: path,
        size,
        async read(begin, end) {
          checkRange(path, size, begin, end);
          if (end > held.length && size <= small) {
            filling ??= fetchMore(0, size).finally(() => {
              filling = null;
            });
            await filling;
          }
          const part = end > held.length ? await fetchMore(begin, end) : null;
          return part ?? held.slice(begin, end);
        },
      };
    },
  };
}
