import { fileURLToPath } from 'node:url';
import { type PreviewServer, preview } from 'vite';

/** The built studio in a sub-folder of a static host that sends no headers of its own, as on many free hosts. */
export function plainHost(port: number): Promise<PreviewServer> {
  return preview({
    configFile: false,
    logLevel: 'error',
    root: fileURLToPath(new URL('..', import.meta.url)),
    base: '/studio/',
    preview: { port, strictPort: true, headers: {} },
  });
}
