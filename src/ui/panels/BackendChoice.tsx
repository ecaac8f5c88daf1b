import { chooseBackend } from '../../state/engine';
import { isIdle } from '../../state/session-store';
import type { BackendChoice as Backend } from '../../state/settings-store';
import { useSession, useSettings } from '../../state/use-store';
import { Choice } from '../parts/choices';

const labels: Readonly<Record<Backend, string>> = {
  auto: 'Automatic',
  webgpu: 'Graphics card (WebGPU)',
  wasm: 'Processor (WASM)',
};

/** What edits run on. A choice there is no hardware for is not offered. */
export function BackendChoice() {
  const value = useSettings((settings) => settings.backend);
  const ready = useSession((now) => isIdle(now) && now.engine === 'ready');
  const backends = useSession((now) => now.info?.capabilities.backends);
  if (!backends) return null;
  const offered = (['auto', 'webgpu', 'wasm'] as const).filter(
    (id) => id === 'auto' || backends.includes(id),
  );
  return (
    <Choice
      label="Runs on"
      value={value}
      choices={offered.map((id) => ({ id, label: labels[id] }))}
      help="Automatic takes the graphics card where it computes correctly. Results of the two differ slightly."
      isDisabled={!ready}
      onChange={(id) => chooseBackend(id as Backend)}
    />
  );
}
