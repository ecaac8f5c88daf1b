import { createJSONStorage, persist } from 'zustand/middleware';
import { createStore } from 'zustand/vanilla';

export type ExportFormat = 'png' | 'jpeg' | 'webp';

/** What edits run on; 'auto': the best that computes correctly. */
export type BackendChoice = 'auto' | 'webgpu' | 'wasm';

export interface Settings {
  /** advanced options are open */
  readonly advanced: boolean;
  readonly backend: BackendChoice;
  /** GiB of the graphics card's memory to count on */
  readonly gpuMemory: number;
  /** brush diameter, screen px */
  readonly brushSize: number;
  readonly exportFormat: ExportFormat;
  /** of JPEG and WebP, 1…100 */
  readonly exportQuality: number;
  readonly exportRecipe: boolean;
  /** s per step of learning on this computer, by what decides it; see `learning.ts` */
  readonly stepSeconds: Readonly<Record<string, number>>;
  /** single-key shortcuts; WCAG 2.1.4 asks that they can be switched off */
  readonly singleKeys: boolean;
}

/** How this person likes to work, on this computer. */
export const settingsStore = createStore<Settings>()(
  persist(
    (): Settings => ({
      advanced: false,
      backend: 'auto',
      gpuMemory: 4,
      brushSize: 48,
      exportFormat: 'png',
      exportQuality: 90,
      exportRecipe: true,
      stepSeconds: {},
      singleKeys: true,
    }),
    { name: 'settings', version: 1, storage: createJSONStorage(() => localStorage) },
  ),
);

export const settings = (): Settings => settingsStore.getState();
export function setSettings(change: Partial<Settings>): void {
  settingsStore.setState(change);
}
