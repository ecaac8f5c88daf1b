import { openFiles } from '../state/photos';

/** The browser's file dialog. `take` is called with what was chosen, not when nothing was. */
export function chooseFiles(accept: string, multiple: boolean, take: (files: readonly File[]) => void): void {
  document.getElementById('file-input')?.remove();
  const input = document.createElement('input');
  Object.assign(input, { type: 'file', id: 'file-input', accept, multiple, hidden: true });
  input.addEventListener('change', () => take([...(input.files ?? [])]));
  // in the page while it is asked: some browsers forget one that is not
  document.body.append(input);
  input.click();
}

export const choosePhoto = (): void =>
  chooseFiles('image/*', false, (files) => void openFiles(files, 'photo'));
