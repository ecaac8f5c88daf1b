import { Check, Circle, CircleAlert, CircleDashed, LoaderCircle, Pause } from 'lucide-react';
import { Button } from 'react-aria-components/Button';
import { conceptInUse } from '../../document/concepts';
import { notFittable } from '../../state/fit-plan';
import { fitConcept } from '../../state/fitting';
import { setSession } from '../../state/session-store';
import { type Stage, stagesOf } from '../../state/stages';
import { useDocument, useSession } from '../../state/use-store';

const labels = { learn: 'Learn', fit: 'Fit', edit: 'Edit' } as const;

const icons = {
  'to do': Circle,
  'up to date': Check,
  stale: CircleAlert,
  stopped: Pause,
  running: LoaderCircle,
  off: CircleDashed,
} as const satisfies Readonly<Record<Stage['state'], unknown>>;

/** What Run goes through and how each stage stands. */
export function Stages() {
  const doc = useDocument((it) => it);
  const stages = useSession((now) => JSON.stringify(stagesOf(doc, now)));
  const rows = JSON.parse(stages) as readonly Stage[];
  if (rows.length === 0) return null;
  return (
    <ol className="stages" aria-label="Stages">
      {rows.map((stage) => (
        <Row key={stage.name} stage={stage} />
      ))}
    </ol>
  );
}

function Row({ stage: { name, state, words } }: { stage: Stage }) {
  const Icon = icons[state];
  return (
    <li data-state={state}>
      <Icon aria-hidden size={14} />
      <span>
        {labels[name]} <span className="stage-words">{words}</span>
      </span>
      {name === 'learn' && (state === 'to do' || state === 'stale') && <ShowConcept />}
      {name === 'fit' && state !== 'off' && <Fit stopped={state === 'stopped'} />}
    </li>
  );
}

/** Where it is learned, and how. */
function ShowConcept() {
  const id = useDocument((doc) => conceptInUse(doc)?.id ?? null);
  const open = useSession((now) => now.openConcept === id);
  if (open) return null;
  return (
    <Button className="button quiet small" onPress={() => setSession({ openConcept: id })}>
      Show concept
    </Button>
  );
}

/** @param stopped  an interrupted run can go on */
function Fit({ stopped }: { stopped: boolean }) {
  const doc = useDocument((it) => it);
  const isDisabled = useSession((now) => notFittable(doc, now)) !== null;
  return (
    <div className="row">
      <Button className="button plain small" isDisabled={isDisabled} onPress={() => void fitConcept()}>
        {stopped ? 'Resume' : 'Fit'}
      </Button>
      {stopped && (
        <Button
          className="button quiet small"
          isDisabled={isDisabled}
          onPress={() => void fitConcept({ startOver: true })}
        >
          Start over
        </Button>
      )}
    </div>
  );
}
