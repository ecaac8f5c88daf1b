import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { httpTree } from './http-tree';

/** Larger than the part that opening fetches. */
const big = Uint8Array.from({ length: 700_000 }, (_, i) => (i * 7) % 251);
const files: Record<string, Uint8Array> = {
  '/models/m/unet/config.json': new TextEncoder().encode('{"a":1}'),
  '/models/m/big.bin': big,
  '/models/m/empty.txt': new Uint8Array(),
};

type Host = (request: IncomingMessage, response: ServerResponse, bytes: Uint8Array | undefined) => void;
const ranges: Host = (request, response, bytes) => {
  if (!bytes) return void response.writeHead(404).end('no');
  const [, begin, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')!.map(Number);
  if (begin! >= bytes.length) return void response.writeHead(416).end();
  const end = Math.min(last! + 1, bytes.length);
  response.writeHead(206, { 'content-range': `bytes ${begin}-${end - 1}/${bytes.length}` });
  response.end(bytes.subarray(begin, end));
};
const plain: Host = (_, response, bytes) => void response.writeHead(bytes ? 200 : 404).end(bytes);
const singlePage: Host = (request, response, bytes) =>
  bytes
    ? ranges(request, response, bytes)
    : void response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>');

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});
async function serve(host: Host, small?: number) {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url!);
    host(request, response, files[request.url!]);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  stops.push(() => server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  return { tree: httpTree(new URL(`http://127.0.0.1:${port}/models/m/`), 'm', small), requests };
}

for (const [name, host, small, readsOfBig] of [
  ['serves ranges', ranges, 1000, 3],
  ['serves ranges, small files whole', ranges, 1e6, 2],
  ['ignores ranges', plain, 1000, 1],
  ['answers missing files with its page', singlePage, 1000, 3],
] as const) {
  test(`reads the right bytes from a host that ${name}`, async () => {
    const { tree, requests } = await serve(host, small);
    const config = await tree.open('unet/config.json');
    expect(config?.size).toBe(7);
    expect(new TextDecoder().decode(await config!.read(0, 7))).toBe('{"a":1}');
    expect(requests).toHaveLength(1);

    const source = (await tree.open('big.bin'))!;
    expect(source.size).toBe(700_000);
    expect(await source.read(10, 20)).toEqual(big.slice(10, 20));
    expect(await source.read(524_280, 524_300)).toEqual(big.slice(524_280, 524_300));
    expect(await source.read(699_999, 700_000)).toEqual(big.slice(699_999));
    expect(requests).toHaveLength(1 + readsOfBig);
    await expect(source.read(0, 700_001)).rejects.toMatchObject({ code: 'BAD_FILE' });

    expect((await tree.open('empty.txt'))?.size).toBe(0);
    expect(await tree.open('vae/config.json')).toBeNull();
  });
}

test('a small file read in many places at once is fetched once', async () => {
  const { tree, requests } = await serve(ranges);
  const source = (await tree.open('big.bin'))!;
  const begins = [600_000, 0, 650_000, 524_280];
  const parts = await Promise.all(begins.map((begin) => source.read(begin, begin + 100)));
  expect(parts).toEqual(begins.map((begin) => big.slice(begin, begin + 100)));
  expect(requests).toHaveLength(2);
});

test('what it hands out is a copy', async () => {
  const { tree } = await serve(plain);
  const source = (await tree.open('unet/config.json'))!;
  (await source.read(0, 7)).fill(0);
  expect((await source.read(0, 1))[0]).toBe('{'.charCodeAt(0));
});

test('a host in trouble, a wrong part and a broken connection are NETWORK errors', async () => {
  const error = async (host: Host) => (await serve(host)).tree.open('big.bin');
  const network = { code: 'NETWORK' };
  await expect(error((_, response) => void response.writeHead(503).end())).rejects.toMatchObject(network);
  await expect(
    error(
      (_, response) =>
        void response.writeHead(206, { 'content-range': 'bytes 5-9/700000' }).end(big.subarray(5, 10)),
    ),
  ).rejects.toMatchObject(network);
  await expect(
    error((_, response) => {
      response.writeHead(200, { 'content-length': 700_000 }).write(big.subarray(0, 1000));
      setTimeout(() => response.destroy(), 20);
    }),
  ).rejects.toMatchObject(network);
});
