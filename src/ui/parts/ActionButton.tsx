import type { LucideIcon } from 'lucide-react';
import type { ReactNode } from 'react';
import { Button } from 'react-aria-components/Button';
import { ToggleButton } from 'react-aria-components/ToggleButton';
import { Tooltip, TooltipTrigger } from 'react-aria-components/Tooltip';
import { currentDocument } from '../../state/document-store';
import { session } from '../../state/session-store';
import { useDocument, useSession } from '../../state/use-store';
import { type ActionId, actions, perform } from '../actions';
import { keyLabels } from '../shortcuts';

/** Whether an action can run now; follows both stores. */
function useEnabled(id: ActionId): boolean {
  const { enabled } = actions[id];
  useDocument((doc) => enabled(doc, session()));
  return useSession((now) => enabled(currentDocument(), now));
}

export function Keys({ binding }: { binding: string }) {
  return (
    <span className="keys">
      {keyLabels(binding).map((key) => (
        <kbd key={key}>{key}</kbd>
      ))}
    </span>
  );
}

interface Props {
  readonly id: ActionId;
  readonly icon?: LucideIcon;
  /** shown text; without it the button is its icon, named by the action's label */
  readonly children?: ReactNode;
  readonly look?: 'plain' | 'solid' | 'quiet';
  /** makes it a toggle */
  readonly selected?: boolean;
  /** tooltip instead of the action's label, e.g. what undo would undo */
  readonly hint?: string;
}

/** A button for a row of the actions table: label, key and enabled state come from there. */
export function ActionButton({ id, icon: Icon, children, look = 'quiet', selected, hint }: Props) {
  const { label, keys } = actions[id];
  const isDisabled = !useEnabled(id);
  const className = `button ${look}${children ? '' : ' icon'}`;
  const content = (
    <>
      {Icon && <Icon aria-hidden size={17} strokeWidth={1.75} />}
      {children}
    </>
  );
  const named = children ? {} : { 'aria-label': label };
  return (
    <TooltipTrigger delay={500} isDisabled={children !== undefined && !keys}>
      {selected === undefined ? (
        <Button className={className} isDisabled={isDisabled} onPress={() => perform(id)} {...named}>
          {content}
        </Button>
      ) : (
        <ToggleButton
          className={className}
          isDisabled={isDisabled}
          isSelected={selected}
          onChange={() => perform(id)}
          {...named}
        >
          {content}
        </ToggleButton>
      )}
      <Tooltip className="tooltip" offset={6}>
        {hint ?? label} {keys?.[0] && <Keys binding={keys[0]} />}
      </Tooltip>
    </TooltipTrigger>
  );
}
