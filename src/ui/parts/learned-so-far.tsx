import { Check, Pin } from 'lucide-react';
import { Button } from 'react-aria-components/Button';
import type { Concept, ConceptCheckpoint } from '../../document/document';
import { keepLearned, pickCheckpoint } from '../../state/learn-picks';
import type { Learning } from '../../state/session-store';
import { Picture } from './Picture';

/** What it looked like, newest first. */
export function Samples({ learning: { samples }, name }: { learning: Learning; name: string }) {
  return (
    <div className="samples">
      <h3>Samples, same seed</h3>
      {samples.length === 0 ? (
        <p className="help">What it looks like so far appears here from time to time.</p>
      ) : (
        <ul className="sample-strip" aria-label="Samples">
          {samples.toReversed().map(({ step, image }) => (
            <li key={step}>
              <Picture id={image.id} label={`${name} after ${step} steps, same seed`} />
              <span aria-hidden>{step}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** Each can be used in edits, and kept for good. */
export function Checkpoints({ learning, concept }: { learning: Learning; concept: Concept | null }) {
  const { checkpoints, phase } = learning;
  return (
    <div className="checkpoints">
      <h3>Checkpoints</h3>
      {checkpoints.length === 0 && <p className="help">Saved every 15 seconds or so, and at each pause.</p>}
      <ul aria-label="Checkpoints">
        {checkpoints.toReversed().map((checkpoint) => (
          <Row
            key={checkpoint.learned.id}
            checkpoint={checkpoint}
            concept={concept}
            usable={phase === 'paused' || phase === 'done'}
          />
        ))}
      </ul>
    </div>
  );
}

/** Those that were kept, of every run. */
export function KeptCheckpoints({ concept }: { concept: Concept }) {
  const kept = concept.checkpoints.filter((it) => it.kept).toSorted((a, b) => b.step - a.step);
  if (kept.length === 0) return null;
  return (
    <div className="checkpoints">
      <h3>Kept checkpoints</h3>
      <ul aria-label="Kept checkpoints">
        {kept.map((checkpoint) => (
          <Row key={checkpoint.learned.id} checkpoint={checkpoint} concept={concept} usable />
        ))}
      </ul>
    </div>
  );
}

interface RowProps {
  readonly checkpoint: ConceptCheckpoint;
  readonly concept: Concept | null;
  readonly usable: boolean;
}

function Row({ checkpoint, concept, usable }: RowProps) {
  const { step, state, kept, learned } = checkpoint;
  const used = concept?.learned?.id === learned.id;
  const which = `${step}${state === null ? ', result' : ''}`;
  return (
    <li>
      <span>Step {which}</span>
      <Button
        className="button quiet small"
        aria-label={`Use step ${which}`}
        isDisabled={!concept || used || !usable}
        onPress={() => concept && pickCheckpoint(concept.id, checkpoint)}
      >
        <Check aria-hidden size={13} /> {used ? 'In use' : 'Use'}
      </Button>
      <Button
        className="button quiet small"
        aria-label={`Keep step ${which}`}
        isDisabled={!concept || kept === true}
        onPress={() => concept && keepLearned(concept.id, checkpoint)}
      >
        <Pin aria-hidden size={13} /> {kept ? 'Kept' : 'Keep'}
      </Button>
    </li>
  );
}
