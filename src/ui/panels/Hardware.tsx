import { chooseHardware } from '../../state/engine';
import { isIdle } from '../../state/session-store';
import type { BackendChoice } from '../../state/settings-store';
import { useSession, useSettings } from '../../state/use-store';
import { Choice } from '../parts/choices';

const backendLabels: Readonly<Record<BackendChoice, string>> = {
  auto: 'Automatic',
  webgpu: 'Graphics card (WebGPU)',
  wasm: 'Processor (WASM)',
};

const GIGABYTES = [2, 4, 6, 8, 12, 16, 24, 32, 48];

/** What edits run on. A choice there is no hardware for is not offered. */
export function Hardware() {
  const backend = useSettings((settings) => settings.backend);
  const gpuMemory = useSettings((settings) => settings.gpuMemory);
  const ready = useSession((now) => isIdle(now) && now.engine === 'ready');
  const capabilities = useSession((now) => now.info?.capabilities);
  if (!capabilities) return null;
  const offered = (['auto', 'webgpu', 'wasm'] as const).filter(
    (id) => id === 'auto' || capabilities.backends.includes(id),
  );
  return (
    <>
      <Choice
        label="Runs on"
        value={backend}
        choices={offered.map((id) => ({ id, label: backendLabels[id] }))}
        help="Automatic takes the graphics card where it computes correctly. Results of the two differ slightly."
        isDisabled={!ready}
        onChange={(id) => chooseHardware({ backend: id as BackendChoice })}
      />
      {capabilities.backend === 'webgpu' && (
        <Choice
          label="Graphics memory"
          value={String(gpuMemory)}
          choices={GIGABYTES.map((gb) => ({ id: String(gb), label: `${gb} GB` }))}
          help="What the card has: a browser cannot see it. What needs more is refused before it begins."
          isDisabled={!ready}
          onChange={(gb) => chooseHardware({ gpuMemory: Number(gb) })}
        />
      )}
    </>
  );
}
