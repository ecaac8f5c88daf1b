import { ImagePlus, Sparkles } from 'lucide-react';
import { useSession } from '../../state/use-store';
import { ActionButton } from './ActionButton';

/** First sight of the studio. */
export function Empty() {
  const busy = useSession((now) => now.busy !== null);
  return (
    <div className="empty" data-busy={busy || undefined}>
      <h2>Change what a photo shows</h2>
      <p>
        Drop a photo here, describe what it shows and what it should become.
        <br />
        Everything happens on this computer.
      </p>
      <div className="row">
        <ActionButton id="demo" icon={Sparkles} look="solid">
          Try the demo
        </ActionButton>
        <ActionButton id="open-photo" icon={ImagePlus} look="plain">
          Choose a photo
        </ActionButton>
      </div>
    </div>
  );
}
