import { ArrowRight, Pencil, ScanEye } from 'lucide-react';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { setPrompts, setSubject } from '../../document/actions';
import { conceptInUse, subjectOf, targetAsRead, targetOf } from '../../document/concepts';
import type { Document } from '../../document/document';
import { pickConcept } from '../../state/concepts';
import { update } from '../../state/document-store';
import { exampleOf } from '../../state/edits';
import { useDocument } from '../../state/use-store';
import { promptDiff } from '../../util/prompt-diff';
import { ActionButton } from '../parts/ActionButton';
import { Choice } from '../parts/choices';
import { TextInput } from '../parts/fields';

export function Prompts() {
  const source = useDocument((doc) => doc.sourcePrompt);
  const typed = useDocument((doc) => doc.targetPrompt);
  const target = useDocument((doc) => targetAsRead(doc) ?? targetOf(doc));
  const placeholder = useDocument(exampleTarget);
  return (
    <section aria-labelledby="prompts-heading">
      <div className="section-head">
        <h2 id="prompts-heading">Describe the change</h2>
        {source.trim() && <ActionButton id="attention" icon={ScanEye} />}
      </div>
      <TextInput
        label="Photo shows"
        edit="Edit description"
        rows={2}
        value={source}
        placeholder="a photo of a cat on a wooden table"
        onChange={(sourcePrompt) => update((doc) => setPrompts(doc, { sourcePrompt }))}
      />
      <TextInput
        label="Change to"
        edit="Edit description"
        rows={2}
        value={typed}
        placeholder={placeholder}
        onChange={(targetPrompt) => update((doc) => setPrompts(doc, { targetPrompt }))}
      />
      <ConceptChoice />
      {source.trim() && target && <Subject source={source} target={target} />}
    </section>
  );
}

/** What “Change to” shows while it is empty: with a concept that finds its place in it, what the photo shows stays. */
function exampleTarget(doc: Document): string {
  const concept = conceptInUse(doc);
  if (!concept) return 'a photo of a dog on a wooden table';
  return targetAsRead(doc) === null ? `such as: ${exampleOf(concept)}` : doc.sourcePrompt;
}

/** A concept may take the subject's place; how the model then reads the words is said. */
function ConceptChoice() {
  const concepts = useDocument((doc) => doc.concepts);
  const chosen = useDocument((doc) => doc.concept);
  const read = useDocument((doc) => (conceptInUse(doc)?.learned ? targetAsRead(doc) : null));
  if (concepts.length === 0) return null;
  return (
    <Choice
      label="Concept"
      value={chosen ?? none}
      choices={[
        { id: none, label: 'None, words alone' },
        ...concepts.map(({ id, name }) => ({ id, label: name || 'Unnamed concept' })),
      ]}
      help={read ? `Read as “${read}”.` : undefined}
      onChange={(id) => pickConcept(id === none ? null : id)}
    />
  );
}
const none = 'none';

/** The words that are swapped, found by comparing the prompts; a click corrects them. */
function Subject({ source, target }: { source: string; target: string }) {
  const corrected = useDocument((doc) => doc.subject);
  const subject = useDocument(subjectOf);
  const [editing, setEditing] = useState(false);
  const concept = useDocument((doc) => conceptInUse(doc)?.name);
  const replacement = concept ?? promptDiff(source, target).replacement;
  if (editing || corrected !== null) {
    return (
      <div className="subject-field">
        <TextInput
          label="Subject"
          edit="Correct subject"
          value={corrected ?? subject ?? ''}
          onChange={(words) => update((doc) => ({ ...doc, subject: words }))}
        />
        <Button
          className="button link"
          onPress={() => {
            update((doc) => setSubject(doc, null));
            setEditing(false);
          }}
        >
          Find it automatically
        </Button>
      </div>
    );
  }
  return (
    <div className="subject">
      <Button
        className="chip"
        aria-label={`Subject: ${subject ?? 'none found'}. Correct it`}
        onPress={() => setEditing(true)}
      >
        {subject ? (
          <>
            <span>{subject}</span>
            <ArrowRight aria-hidden size={13} />
            <span>{replacement ?? 'nothing'}</span>
          </>
        ) : (
          <span>{source.trim() === target.trim() ? 'Nothing changes yet' : 'The whole square'}</span>
        )}
        <Pencil aria-hidden size={12} />
      </Button>
    </div>
  );
}
