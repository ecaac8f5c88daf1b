import { Info, TriangleAlert, X } from 'lucide-react';
import { Button } from 'react-aria-components/Button';
import { dismiss, type Notice } from '../../state/session-store';
import { useSession } from '../../state/use-store';
import { perform } from '../actions';
import { errorMessages } from '../error-messages';

/** What stays until it is closed. Errors are announced at once, the rest when there is a pause. */
export function Notices() {
  const notices = useSession((now) => now.notices);
  return (
    <div className="notices">
      <div role="alert">
        {notices
          .filter(({ code }) => code !== null)
          .map((notice) => (
            <Card key={notice.id} notice={notice} />
          ))}
      </div>
      <div aria-live="polite">
        {notices
          .filter(({ code }) => code === null)
          .map((notice) => (
            <Card key={notice.id} notice={notice} />
          ))}
      </div>
    </div>
  );
}

const sentence = (text: string): string => (/[.!?…]$/.test(text) ? text : `${text}.`);

function Card({ notice: { id, code, message } }: { notice: Notice }) {
  const words = code && errorMessages[code];
  return (
    <div className={`notice ${words ? 'error' : 'info'}`}>
      {words ? <TriangleAlert aria-hidden size={18} /> : <Info aria-hidden size={18} />}
      <div>
        {words ? (
          <>
            <strong>{words.title}</strong>
            {words.reason && <p>{sentence(message)}</p>}
            <p>{words.safe}</p>
            {!words.reason && (
              <details>
                <summary>Details</summary>
                <code>
                  {code}: {message}
                </code>
              </details>
            )}
            <Button
              className="button plain small"
              onPress={() => {
                dismiss(id);
                perform(words.action.run);
              }}
            >
              {words.action.label}
            </Button>
          </>
        ) : (
          <p>{message}</p>
        )}
      </div>
      <Button className="button quiet icon small" aria-label="Close" onPress={() => dismiss(id)}>
        <X aria-hidden size={15} />
      </Button>
    </div>
  );
}
