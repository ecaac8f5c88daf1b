import type { LearnedConcept } from '../src/document/document';
import { defaultSquare } from '../src/document/square';
import type { EngineHost } from '../src/engine/host';
import type { Pixels } from '../src/util/pixels';

/** A picture of a concept, by the name of its file. */
export interface NamedPicture {
  readonly name: string;
  readonly pixels: Pixels;
}

/** Pictures of a concept put into storage, with the square of each that the page would propose. */
export async function storedPictures(
  host: Pick<EngineHost, 'writeImage'>,
  given: readonly NamedPicture[],
): Promise<LearnedConcept['pictures'][number][]> {
  const pictures = [];
  for (const { name, pixels } of given) {
    const image = await host.writeImage(pixels, name);
    pictures.push({ id: image.id, square: defaultSquare(image) });
  }
  return pictures;
}
