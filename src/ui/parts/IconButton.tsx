import type { ReactNode } from 'react';
import { Button, type ButtonProps } from 'react-aria-components/Button';
import { Tooltip, TooltipTrigger } from 'react-aria-components/Tooltip';

interface Props extends Omit<ButtonProps, 'aria-label' | 'children'> {
  /** its name, and what its tooltip says */
  readonly label: string;
  /** the icon */
  readonly children: ReactNode;
}

/** A button that is its icon; pointed at or focused it says what it does. */
export function IconButton({ label, children, ...props }: Props) {
  return (
    <TooltipTrigger delay={500}>
      <Button {...props} aria-label={label}>
        {children}
      </Button>
      <Tooltip className="tooltip" offset={6}>
        {label}
      </Tooltip>
    </TooltipTrigger>
  );
}
