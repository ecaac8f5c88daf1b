import { isAbort, reportError } from '../state/errors';
import { openModelFolder } from '../state/models';
import { folderOfFiles, folderOfHandle } from '../storage/walk-folder';
import { chooseFiles } from './choose-files';

/** Chromium's, not yet in TypeScript's DOM library. */
declare function showDirectoryPicker(options: {
  readonly id: string;
  readonly mode: 'read';
}): Promise<FileSystemDirectoryHandle>;

/** The browser's dialog for folders; where it has none of its own, the one of a file field. */
export function chooseModelFolder(): void {
  if (!('showDirectoryPicker' in globalThis)) {
    chooseFiles({ folder: true }, (files) => void openModelFolder(() => folderOfFiles(files)));
    return;
  }
  // Cancel is an AbortError
  showDirectoryPicker({ id: 'models', mode: 'read' }).then(
    (handle) => openModelFolder(() => folderOfHandle(handle)),
    (error) => !isAbort(error) && reportError(error),
  );
}
