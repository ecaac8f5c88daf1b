import { FileInput, Plus } from 'lucide-react';
import { Button } from 'react-aria-components/Button';
import { conceptEndings, importConcepts, startConcept } from '../../state/concepts';
import { useDocument, useSession } from '../../state/use-store';
import { chooseFiles } from '../choose-files';
import { ConceptCard } from './ConceptCard';

/** "My cat Miso": what the model does not know yet, with pictures of it or as a file. */
export function Concepts() {
  const concepts = useDocument((doc) => doc.concepts);
  const busy = useSession((now) => now.busy !== null);
  return (
    <section aria-labelledby="concepts-heading" className="concepts">
      <h2 id="concepts-heading">Concepts</h2>
      {concepts.length === 0 && (
        <p className="help">
          Something of your own to put into photos: a pet, a toy, a mug. Drop three to five pictures of it
          here.
        </p>
      )}
      {concepts.map((concept) => (
        <ConceptCard key={concept.id} concept={concept} />
      ))}
      <div className="row">
        <Button className="button plain small" onPress={() => startConcept()}>
          <Plus aria-hidden size={15} /> New concept
        </Button>
        <Button
          className="button plain small"
          isDisabled={busy}
          onPress={() =>
            chooseFiles(
              { accept: conceptEndings.join(), multiple: true },
              (files) => void importConcepts(files),
            )
          }
        >
          <FileInput aria-hidden size={15} /> Import concept
        </Button>
      </div>
    </section>
  );
}
