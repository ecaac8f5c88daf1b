import { type CopyEvent, copyModel } from '../storage/model-copy';
import { listModels, removeModel, type StoredModel } from '../storage/models';
import { type PickedFolder, pickedTree } from '../storage/picked-folder';
import { type StartedJob, startJob } from '../util/rpc';

/** The part of the files worker's API that is about imported models. @param folder  where they are kept, see `modelsFolder` */
export function createModelFiles(folder: () => Promise<FileSystemDirectoryHandle>) {
  return {
    models: async (): Promise<StoredModel[]> => listModels(await folder()),

    /**
     * Copies a model that the engine has checked into storage. Cancelled or failed, it leaves nothing behind.
     *
     * @param paths  what the check said the model is made of
     * @throws AppError STORAGE_FULL, TOO_BIG, BAD_FILE, BAD_REQUEST while another tab copies it
     */
    importModel: (picked: PickedFolder, paths: readonly string[]): StartedJob<CopyEvent> =>
      startJob((signal) => importing(folder, picked, paths, signal)),

    removeModel: async (id: string): Promise<void> => removeModel(await folder(), id),
  };
}

async function* importing(
  folder: () => Promise<FileSystemDirectoryHandle>,
  picked: PickedFolder,
  paths: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<CopyEvent, void> {
  yield* copyModel(await folder(), pickedTree(picked), paths, signal);
}
