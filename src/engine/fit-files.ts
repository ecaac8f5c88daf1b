/** Fits between training, files and networks. */
import type { ModelParts } from '../diffusion/model';
import { type Changes, stacked } from '../diffusion/personalise';
import type { BlobId, ConceptRef, FitRef } from '../document/document';
import type { ConceptBase } from '../formats/concept-base';
import type { ConceptAbout } from '../formats/concept-metadata';
import { type FitFile, readFit, saveFit } from '../formats/fit-file';
import { bareToken } from '../formats/textual-inversion';
import type { Fit } from '../steering/fit';
import { bytesSource } from '../util/byte-source';
import { AppError } from '../util/errors';
import { changesIn, openConcept, toFileConcept } from './concept-files';
import type { EngineHost } from './host';

/** @param parent  content id of the concept's file   @returns content id of the fit's */
export const storeFit = async (
  host: Pick<EngineHost, 'writeBytes'>,
  { key, onTop, delta }: Fit,
  parent: BlobId,
  base: ConceptBase,
  about: ConceptAbout,
): Promise<BlobId> =>
  host.writeBytes(await saveFit({ concept: toFileConcept(delta), parent, key, onTop }, { base, about }));

/** @throws AppError BAD_FILE when it is not stored or damaged; UNSUPPORTED_MODEL */
export const readStoredFit = async (
  host: Pick<EngineHost, 'readBytes'>,
  { id }: FitRef,
  { token, name }: Pick<ConceptRef, 'token' | 'name'>,
  base: ConceptBase,
): Promise<FitFile> =>
  readFit(bytesSource(`${bareToken(token) || name}.safetensors`, await host.readBytes(id)), base);

/**
 * A concept as it was fitted, as its base takes it.
 *
 * @throws AppError BAD_REQUEST for a fit of another concept; UNSUPPORTED_MODEL; BAD_FILE
 */
export async function openFit(
  host: Pick<EngineHost, 'readBytes'>,
  ref: FitRef,
  concept: ConceptRef,
  base: ConceptBase,
  parts: Pick<ModelParts, 'unet' | 'textEncoder'>,
): Promise<Changes> {
  const fit = await readStoredFit(host, ref, concept, base);
  if (fit.parent !== concept.id) {
    throw new AppError('BAD_REQUEST', `the fit belongs to another concept, or an earlier ${concept.name}`);
  }
  const changes = changesIn(fit.concept, concept.name, parts);
  return fit.onTop ? stacked(await openConcept(host, concept, base, parts), changes) : changes;
}
