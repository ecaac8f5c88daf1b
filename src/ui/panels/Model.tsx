import { FolderInput, Trash2 } from 'lucide-react';
import { Button } from 'react-aria-components/Button';
import { cancelOpening, chooseModel, starter } from '../../state/models';
import { type CopyingModel, isIdle, setSession } from '../../state/session-store';
import { useDocument, useSession } from '../../state/use-store';
import { perform } from '../actions';
import { Choice } from '../parts/choices';
import { ProgressLine } from '../parts/ProgressLine';
import { gigabytes } from '../sizes';

/** What paints: the bundled model or one that was opened from a folder. */
export function Model() {
  const id = useDocument((doc) => doc.model);
  const models = useSession((now) => now.models);
  const copying = useSession((now) => now.copying);
  const idle = useSession(isIdle);
  const info = useSession((now) => (now.info?.model.id === id ? now.info.model : null));
  const noModel = useSession((now) => now.noModel);
  const stored = models.find((model) => model.id === id);
  const known = [starter, ...models];
  const choices = known.some((model) => model.id === id) ? known : [...known, { id, label: 'Not here' }];
  const facts = [
    info?.family,
    info && `${info.size} × ${info.size} px`,
    stored && gigabytes(stored.bytes),
  ].filter(Boolean);
  return (
    <section aria-labelledby="model-heading" className="model">
      <h2 id="model-heading">Model</h2>
      {choices.length === 1 ? (
        <p className="model-name">{starter.label}</p>
      ) : (
        <Choice label="Model in use" value={id} choices={choices} isDisabled={!idle} onChange={chooseModel} />
      )}
      <p className="help">{noModel ?? facts.join(' · ')}</p>
      {copying ? (
        <Copying copying={copying} />
      ) : (
        <div className="row">
          <Button className="button plain small" onPress={() => perform('open-model')}>
            <FolderInput aria-hidden size={15} /> Open model…
          </Button>
          {stored && (
            <Button
              className="button quiet small"
              aria-label="Remove model"
              isDisabled={!idle}
              onPress={() => setSession({ dialog: { kind: 'remove-model', model: stored } })}
            >
              <Trash2 aria-hidden size={15} /> Remove
            </Button>
          )}
        </div>
      )}
    </section>
  );
}

function Copying({ copying: { label, bytes, total, secondsLeft } }: { copying: CopyingModel }) {
  const text =
    total === 0 ? `Checking ${label}` : `Copying ${label}: ${gigabytes(bytes)} of ${gigabytes(total)}`;
  return (
    <>
      <ProgressLine
        label="Opening model"
        text={text}
        part={total === 0 ? null : bytes / total}
        secondsLeft={secondsLeft}
      />
      <Button className="button plain small" onPress={cancelOpening}>
        Cancel opening
      </Button>
    </>
  );
}
