import { shownTake } from '../document/actions';
import { replacementOf } from '../document/concepts';
import type { Document, Take } from '../document/document';
import type { FileContents } from '../formats/metadata';
import { isAbort, reportError } from './errors';
import { announce } from './session-store';
import type { ExportFormat } from './settings-store';
import { files } from './workers';

export interface ExportOptions {
  readonly format: ExportFormat;
  /** of JPEG and WebP, 1…100 */
  readonly quality: number;
  readonly recipe: boolean;
}

export interface Exported {
  readonly blob: Blob;
  /** what the finished file says about itself, read from its bytes */
  readonly inside: FileContents;
}

/** The file as it will be saved; undefined when it failed (which is told) or is no longer wanted. */
export async function renderExport(
  take: Take,
  options: ExportOptions,
  outdated: AbortSignal,
): Promise<Exported | undefined> {
  try {
    const blob = await files.api.exportImage(take, options);
    if (outdated.aborted) return;
    return { blob, inside: await files.api.inside(blob) };
  } catch (error) {
    return reportError(error);
  }
}

/** 'IMG_1234-dog': the photo's name and what was put in. */
export function exportName(doc: Document): string {
  const take = shownTake(doc);
  const photo = doc.photo && take?.recipe.photo.id === doc.photo.id ? doc.photo.name : 'photo';
  const words = take && replacementOf(take.recipe);
  const safe = (text: string): string => text.replace(/[^\p{L}\p{N}_-]+/gu, '-').replace(/^-+|-+$/g, '');
  return [safe(photo.replace(/\.[^.]+$/, '')) || 'photo', safe(words ?? '') || 'edited']
    .join('-')
    .slice(0, 80);
}

/** Save as a download, under a name of our own. */
export function download(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // the browser reads it after the click, at its leisure
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  announce(`Saved ${name}.`);
}

interface SaveOptions {
  readonly suggestedName: string;
  readonly types: readonly { readonly accept: Readonly<Record<string, readonly string[]>> }[];
}
/** Chromium's, not yet in TypeScript's DOM library. */
declare function showSaveFilePicker(options: SaveOptions): Promise<FileSystemFileHandle>;

export const canChoosePlace = 'showSaveFilePicker' in globalThis;

/** Save where the person says, through the system's dialog. @returns false when they thought better of it */
export async function saveAs(blob: Blob, name: string): Promise<boolean> {
  try {
    const accept = { [blob.type]: [name.slice(name.lastIndexOf('.'))] };
    const handle = await showSaveFilePicker({ suggestedName: name, types: [{ accept }] });
    const stream = await handle.createWritable();
    await stream.write(blob);
    await stream.close();
    announce(`Saved ${handle.name}.`);
    return true;
  } catch (error) {
    if (!isAbort(error)) reportError(error);
    return false;
  }
}
