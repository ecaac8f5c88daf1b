import { SlidersHorizontal, Trash2 } from 'lucide-react';
import { ToggleButton } from 'react-aria-components/ToggleButton';
import { removeTake, showTake } from '../../document/actions';
import { replacementOf } from '../../document/concepts';
import type { Take } from '../../document/document';
import { amend, commit } from '../../state/document-store';
import { stepsAsked } from '../../state/edits';
import { restoreTake } from '../../state/photos';
import { announce, liveJob } from '../../state/session-store';
import { useDocument, useSession } from '../../state/use-store';
import { FrameBar } from '../parts/FrameBar';
import { IconButton } from '../parts/IconButton';
import { Picture } from '../parts/Picture';

/** Results, newest first; the photo itself is always at hand beside them. */
export function Takes() {
  const takes = useDocument((doc) => doc.takes);
  const photo = useDocument((doc) => doc.photo);
  const shown = useDocument((doc) => doc.shown);
  const running = useSession((now) => liveJob(now) !== null);
  return (
    <section className="panel takes" aria-labelledby="takes-heading">
      <div className="takes-head">
        <h2 id="takes-heading">Takes {takes.length > 0 && <span className="count">{takes.length}</span>}</h2>
        {!running && <FrameBar />}
      </div>
      <ul className="strip" aria-label="Takes">
        {takes.map((take, index) => (
          <TakeCard
            key={take.id}
            take={take}
            number={takes.length - index}
            shown={take.id === shown}
            disabled={running}
          />
        ))}
        {photo && takes.length > 0 && (
          <li className="take">
            <ToggleButton
              className="thumb"
              isSelected={shown === null}
              isDisabled={running}
              aria-label="Original photo"
              onChange={() => amend((doc) => showTake(doc, null))}
            >
              <Picture id={photo.id} maxSide={192} />
              <span className="badge">Original</span>
            </ToggleButton>
          </li>
        )}
      </ul>
      {takes.length === 0 && (
        <p className="help">Results appear here, newest first. Nothing is ever overwritten.</p>
      )}
    </section>
  );
}

function TakeCard({
  take,
  number,
  shown,
  disabled,
}: {
  take: Take;
  number: number;
  shown: boolean;
  disabled: boolean;
}) {
  const what = replacementOf(take.recipe) ?? take.recipe.targetPrompt;
  const asked = stepsAsked(take);
  const kept = take.steps < asked ? `step ${take.steps} of ${asked}` : null;
  const partly = take.stopped ? `stopped at ${take.steps} of ${asked}` : kept;
  const name = `Take ${number}: ${what}${partly ? `, ${partly}` : ''}`;
  return (
    <li className="take">
      <ToggleButton
        className="thumb"
        isSelected={shown}
        isDisabled={disabled}
        aria-label={name}
        onChange={() => amend((doc) => showTake(doc, take.id))}
      >
        <Picture id={take.square.id} maxSide={192} />
        {partly && <span className="badge">{partly}</span>}
      </ToggleButton>
      <div className="take-text">
        <span className="take-title" title={take.recipe.targetPrompt}>
          {what}
        </span>
        <span className="take-actions">
          <IconButton
            className="button quiet icon tiny"
            label={`Use the settings of take ${number}`}
            isDisabled={disabled}
            onPress={() => void restoreTake(take)}
          >
            <SlidersHorizontal aria-hidden size={14} />
          </IconButton>
          <IconButton
            className="button quiet icon tiny"
            label={`Delete take ${number}`}
            isDisabled={disabled}
            onPress={() => {
              commit('Delete take', (doc) => removeTake(doc, take.id));
              announce(`Take ${number} is deleted. Undo brings it back.`);
            }}
          >
            <Trash2 aria-hidden size={14} />
          </IconButton>
        </span>
      </div>
    </li>
  );
}
