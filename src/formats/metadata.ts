import type { Recipe } from '../document/document';
import { createLogger } from '../util/log';
import { inspectImage } from './inspect';
import * as jpeg from './jpeg';
import { hasExif } from './orientation';
import { findText, PNG_SIGNATURE, type PngChunk, readChunks, textChunk } from './png';
import { RECIPE_LIMIT, recipeFromJson, recipeToJson, recipeToParameters } from './recipe-text';
import * as webp from './webp';

const log = createLogger('metadata');

export type ExportType = 'png' | 'jpeg' | 'webp';

/** IPTC's term for a photo of which parts were made by a trained model. */
export const DIGITAL_SOURCE_TYPE =
  'http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia';

/** The label that every export carries. @see IPTC Photo Metadata Standard 2023.2, Digital Source Type; ISO 16684-1 (XMP) */
const XMP = `<?xpacket begin="\uFEFF" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
   <xmp:CreatorTool>DreamSteerer Studio</xmp:CreatorTool>
   <Iptc4xmpExt:DigitalSourceType>${DIGITAL_SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>`;

/** Keywords in a PNG: of XMP, and of the recipe. */
const XMP_KEYWORD = 'XML:com.adobe.xmp';
const KEYWORD = 'dreamsteerer';

/**
 * What an exported PNG says about itself: the AI label, and with a recipe also the recipe as JSON and as text for other
 * programs. Exports are made from pixels, so nothing of the photo's own metadata (place, camera, date) can come along.
 */
export const pngMetadata = (recipe: Recipe | null): PngChunk[] => [
  textChunk(XMP_KEYWORD, XMP, true),
  ...(recipe
    ? [textChunk('parameters', recipeToParameters(recipe)), textChunk(KEYWORD, recipeToJson(recipe), true)]
    : []),
];

/** Adds the AI label to a JPEG or WebP that an encoder made. @throws AppError BAD_IMAGE */
export function withLabel(
  bytes: Uint8Array<ArrayBuffer>,
  type: Exclude<ExportType, 'png'>,
): Uint8Array<ArrayBuffer>[] {
  return type === 'jpeg' ? jpeg.withXmp(bytes, XMP) : webp.withXmp(bytes, XMP);
}

/** The recipe that a PNG of ours carries; null for any other file, and for a recipe that is damaged or not one. */
export function readRecipe(bytes: Uint8Array): Recipe | null {
  if (PNG_SIGNATURE.some((value, i) => bytes[i] !== value)) return null;
  try {
    const text = findText(readChunks(bytes), KEYWORD, RECIPE_LIMIT);
    return text === null ? null : recipeFromJson(text);
  } catch (error) {
    // Its name only: messages of the JSON parser quote what they read.
    log.info('a recipe in a picture could not be read', (error as Error).name);
    return null;
  }
}

/** What a picture file says about itself. */
export interface FileContents {
  /** marked as made partly by a trained model */
  readonly label: boolean;
  readonly recipe: boolean;
  /** camera data: place, time, model, serial numbers */
  readonly exif: boolean;
}

/** The XMP packet as text, whatever the container; null when there is none. @throws AppError BAD_IMAGE when damaged */
function readXmp(bytes: Uint8Array<ArrayBuffer>): string | null {
  const text = new TextDecoder();
  switch (inspectImage(bytes, 'picture').type) {
    case 'png':
      return findText(readChunks(bytes), XMP_KEYWORD, RECIPE_LIMIT);
    case 'jpeg': {
      const segment = jpeg.readSegments(bytes).find(jpeg.isXmp);
      return segment ? text.decode(segment.data) : null;
    }
    case 'webp': {
      const chunk = webp.readRiff(bytes).find(({ type }) => type === 'XMP ');
      return chunk ? text.decode(chunk.data) : null;
    }
    default:
      return null;
  }
}

/** Reads the finished bytes again instead of trusting what was asked to be written. @throws AppError BAD_IMAGE */
export function describeFile(bytes: Uint8Array<ArrayBuffer>): FileContents {
  return {
    label: readXmp(bytes)?.includes(DIGITAL_SOURCE_TYPE) ?? false,
    recipe: readRecipe(bytes) !== null,
    exif: hasExif(bytes),
  };
}
