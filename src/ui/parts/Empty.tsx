import { ArrowRight, ImagePlus, Sparkles } from 'lucide-react';
import { useEffect, useState } from 'react';
import { type Demo, demoAddress, readDemo } from '../../state/photos';
import { promptDiff } from '../../util/prompt-diff';
import { ActionButton } from './ActionButton';

/** First sight of the studio. */
export function Empty() {
  return (
    <div className="empty">
      <DemoPicture />
      <h2>Change what a photo shows</h2>
      <p>
        Drop a photo here, describe what it shows and what it should become.
        <br />
        Drop several pictures of something of your own to teach the studio what it looks like.
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

/** What the demo starts from and what it will do; without it the studio is complete, so a failure is not told. */
function DemoPicture() {
  const [demo, setDemo] = useState<Demo | null>(null);
  useEffect(() => void readDemo().then(setDemo, () => {}), []);
  if (!demo) return <div className="demo-picture" />;
  const { subject, replacement } = promptDiff(demo.sourcePrompt, demo.targetPrompt);
  return (
    <figure className="demo-picture">
      <img src={demoAddress(demo.photo)} alt="" />
      <figcaption>
        {subject} <ArrowRight aria-hidden size={13} /> {replacement}
      </figcaption>
    </figure>
  );
}
