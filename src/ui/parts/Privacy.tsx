import { ShieldCheck } from 'lucide-react';
import { useSession } from '../../state/use-store';

/** Where work happens: on this computer, and on which part of it. */
export function Privacy() {
  const info = useSession((now) => now.info);
  const backend = info?.capabilities.backend;
  const notes = info?.capabilities.notes ?? [];
  const threads = info?.capabilities.threads ?? 1;
  return (
    <footer className="privacy">
      <p>
        <ShieldCheck aria-hidden size={15} strokeWidth={1.75} /> Your photos stay on this computer.
      </p>
      {backend === 'webgpu' && <p className="help">Edits run on the graphics card.</p>}
      {backend === 'wasm' && (
        <>
          <p className="help">
            Edits run on the processor ({threads === 1 ? 'one thread' : `${threads} threads`}): slower than a
            graphics card, with the same result.
          </p>
          {notes.length > 0 && (
            <details className="help">
              <summary>Why not the graphics card?</summary>
              {notes.join(' ')}
            </details>
          )}
        </>
      )}
    </footer>
  );
}
