import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

/** Draws public/icons/*.png from icon.svg: `npx tsx tools/icons.ts` after changing it. */
const folder = new URL('../public/icons/', import.meta.url);
const path = (name: string) => fileURLToPath(new URL(name, folder));
const drawn = (size: number) => sharp(path('icon.svg'), { density: 300 }).resize(size, size);

await drawn(192).png({ palette: true }).toFile(path('icon-192.png'));
await drawn(512).png({ palette: true }).toFile(path('icon-512.png'));
await drawn(180)
  .flatten({ background: '#26262a' })
  .png({ palette: true })
  .toFile(path('apple-touch-180.png'));
// A maskable icon keeps its content inside the middle 80 % and bleeds to the edge.
await drawn(410)
  .flatten({ background: '#26262a' })
  .extend({ top: 51, bottom: 51, left: 51, right: 51, background: '#26262a' })
  .png({ palette: true })
  .toFile(path('maskable-512.png'));
