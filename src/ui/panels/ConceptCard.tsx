import { ChevronRight, Download, ImagePlay, Trash2 } from 'lucide-react';
import { Button } from 'react-aria-components/Button';
import { ToggleButton } from 'react-aria-components/ToggleButton';
import { removeConcept } from '../../document/actions';
import { changeConcept, renameConcept, setClassWord } from '../../document/concept-edits';
import { outOfDate, unfinishedRun } from '../../document/concept-learning';
import type { Concept } from '../../document/document';
import { exportConcept, pickConcept } from '../../state/concepts';
import { commit, update } from '../../state/document-store';
import { setSession } from '../../state/session-store';
import { useDocument, useSession } from '../../state/use-store';
import { TextInput } from '../parts/fields';
import { KeptCheckpoints } from '../parts/learned-so-far';
import { Picture } from '../parts/Picture';
import { ConceptPictures } from './ConceptPictures';
import { LearnForm } from './LearnForm';

/** One concept: closed a line with its state, open everything about it. */
export function ConceptCard({ concept }: { concept: Concept }) {
  const { id, name, pictures, learned } = concept;
  const open = useSession((now) => now.openConcept === id);
  const learning = useSession((now) => now.learning?.concept === id && now.learning.phase !== 'done');
  const inDrawer = useSession((now) => now.learning?.concept === id);
  const [first] = pictures;
  return (
    <div className={`concept${open ? ' open' : ''}`}>
      <Button
        className="concept-head"
        aria-expanded={open}
        onPress={() => setSession({ openConcept: open ? null : id })}
      >
        <span className="concept-thumb">
          {first && (
            <Picture
              id={first.image.id}
              maxSide={192}
              crop={{ square: first.square, width: first.image.width }}
            />
          )}
        </span>
        <span className="facts">
          <strong>{name || 'Unnamed concept'}</strong>
          <span>{learning ? 'being learned' : stateOf(concept)}</span>
        </span>
        <ChevronRight aria-hidden size={15} className="chevron" />
      </Button>
      {open && (
        <div className="concept-body">
          <Words concept={concept} />
          {(pictures.length > 0 || !learned) && <ConceptPictures concept={concept} />}
          {(pictures.length > 0 || !learned) && <LearnForm concept={concept} />}
          {!inDrawer && <KeptCheckpoints concept={concept} />}
          <div className="row">
            <UseInEdits id={id} />
            {learned && (
              <Button className="button plain small" onPress={() => void exportConcept(concept)}>
                <Download aria-hidden size={15} /> Export concept
              </Button>
            )}
            <Button
              className="button quiet small"
              isDisabled={learning}
              onPress={() => commit(`Remove ${name || 'concept'}`, (doc) => removeConcept(doc, id))}
            >
              <Trash2 aria-hidden size={15} /> Remove
            </Button>
          </div>
        </div>
      )}
    </div>
  );
}

function UseInEdits({ id }: { id: string }) {
  const used = useDocument((doc) => doc.concept === id);
  return (
    <ToggleButton
      className="button plain small"
      isSelected={used}
      onChange={(on) => pickConcept(on ? id : null)}
    >
      <ImagePlay aria-hidden size={15} /> {used ? 'Used in edits' : 'Use in edits'}
    </ToggleButton>
  );
}

function stateOf(concept: Concept): string {
  const { learned, pictures } = concept;
  const interrupted = unfinishedRun(concept);
  if (interrupted) return `stopped at step ${interrupted.step}`;
  if (!learned) return pictures.length === 0 ? 'no pictures yet' : 'not learned yet';
  if (pictures.length === 0) return 'imported';
  return outOfDate(concept, null) ? 'learned, changed since' : `learned in ${learned.steps} steps`;
}

function Words({ concept }: { concept: Concept }) {
  const { id, name, classWord } = concept;
  return (
    <div className="pair">
      <TextInput
        label="Name"
        edit="Rename concept"
        value={name}
        placeholder="Miso"
        onChange={(next) => update((doc) => changeConcept(doc, id, (it) => renameConcept(it, next)))}
      />
      <TextInput
        label="It is a"
        edit="Say what it is"
        value={classWord}
        placeholder="cat"
        onChange={(next) => update((doc) => changeConcept(doc, id, (it) => setClassWord(it, next)))}
      />
    </div>
  );
}
