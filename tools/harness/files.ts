import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import type { Connect } from 'vite';

/** Serves folders of the disk, whole or by ranges, under `/served/<number>/`. */
export class ServedFolders {
  readonly #folders: string[] = [];

  /** @returns the path of the folder on the server */
  add(folder: string): string {
    return `/served/${this.#folders.push(resolve(folder)) - 1}/`;
  }

  readonly middleware: Connect.NextHandleFunction = async (request, response, next) => {
    const [, number, rest] = /^\/served\/(\d+)\/(.*)$/.exec((request.url ?? '').split('?')[0]!) ?? [];
    const folder = this.#folders[Number(number)];
    if (folder === undefined) return next();
    const file = resolve(folder, decodeURIComponent(rest!));
    const size = file.startsWith(folder + sep)
      ? await stat(file).then(
          (s) => (s.isFile() ? s.size : -1),
          () => -1,
        )
      : -1;
    if (size < 0) return void response.writeHead(404).end();
    response.setHeader('Content-Type', 'application/octet-stream');
    response.setHeader('Accept-Ranges', 'bytes');
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    if (from === undefined) {
      response.writeHead(200, { 'Content-Length': size });
      return void createReadStream(file).pipe(response);
    }
    const begin = Number(from);
    const last = Math.min(to ? Number(to) : size - 1, size - 1);
    if (begin > last) return void response.writeHead(416, { 'Content-Range': `bytes */${size}` }).end();
    const headers = { 'Content-Range': `bytes ${begin}-${last}/${size}`, 'Content-Length': last - begin + 1 };
    response.writeHead(206, headers);
    createReadStream(file, { start: begin, end: last }).pipe(response);
  };
}
