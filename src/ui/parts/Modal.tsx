import { X } from 'lucide-react';
import type { ReactNode } from 'react';
import { Button } from 'react-aria-components/Button';
import { Dialog } from 'react-aria-components/Dialog';
import { Heading } from 'react-aria-components/Heading';
import { ModalOverlay, Modal as Surface } from 'react-aria-components/Modal';
import { setSession } from '../../state/session-store';

const close = (): void => setSession({ dialog: null });

/** A dialog over the studio; Escape, the corner button and a press beside it close it. */
export function Modal({ title, wide, children }: { title: string; wide?: boolean; children: ReactNode }) {
  return (
    <ModalOverlay className="veil" isOpen isDismissable onOpenChange={(open) => !open && close()}>
      <Surface className={`modal${wide ? ' wide' : ''}`}>
        <Dialog className="dialog">
          <header>
            <Heading slot="title">{title}</Heading>
            <Button className="button quiet icon" aria-label="Close" onPress={close}>
              <X aria-hidden size={18} />
            </Button>
          </header>
          {children}
        </Dialog>
      </Surface>
    </ModalOverlay>
  );
}
