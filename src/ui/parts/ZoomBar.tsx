import { Maximize, ZoomIn, ZoomOut } from 'lucide-react';
import { Button } from 'react-aria-components/Button';
import { Toolbar } from 'react-aria-components/Toolbar';
import { useSession } from '../../state/use-store';
import { perform } from '../actions';
import { ActionButton } from './ActionButton';

export function ZoomBar() {
  const percent = useSession((now) => Math.round(now.view.scale * 100));
  return (
    <div className="floating bottom">
      <Toolbar className="bar" aria-label="Zoom">
        <ActionButton id="zoom-out" icon={ZoomOut} />
        <Button
          className="button quiet zoom"
          aria-label={`Zoom ${percent} %. Show actual size`}
          onPress={() => perform('zoom-actual')}
        >
          {percent} %
        </Button>
        <ActionButton id="zoom-in" icon={ZoomIn} />
        <ActionButton id="zoom-fit" icon={Maximize} />
      </Toolbar>
    </div>
  );
}
