import { ArrowRight, Pencil } from 'lucide-react';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { setPrompts, setSubject } from '../../document/actions';
import { update } from '../../state/document-store';
import { subjectOf } from '../../state/edits';
import { useDocument } from '../../state/use-store';
import { promptDiff } from '../../util/prompt-diff';
import { TextInput } from '../parts/fields';

export function Prompts() {
  const source = useDocument((doc) => doc.sourcePrompt);
  const target = useDocument((doc) => doc.targetPrompt);
  return (
    <section aria-labelledby="prompts-heading">
      <h2 id="prompts-heading">Describe the change</h2>
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
        value={target}
        placeholder="a photo of a dog on a wooden table"
        onChange={(targetPrompt) => update((doc) => setPrompts(doc, { targetPrompt }))}
      />
      {source.trim() && target.trim() && <Subject source={source} target={target} />}
    </section>
  );
}

/** The words that are swapped, found by comparing the prompts; a click corrects them. */
function Subject({ source, target }: { source: string; target: string }) {
  const corrected = useDocument((doc) => doc.subject);
  const subject = useDocument(subjectOf);
  const [editing, setEditing] = useState(false);
  const { replacement } = promptDiff(source, target);
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
