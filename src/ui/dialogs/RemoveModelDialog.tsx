import { Button } from 'react-aria-components/Button';
import { removeModel } from '../../state/models';
import { setSession } from '../../state/session-store';
import type { StoredModel } from '../../storage/models';
import { Modal } from '../parts/Modal';
import { gigabytes } from '../sizes';

/** It cannot be undone, and to open it again takes a while. */
export function RemoveModelDialog({ model }: { model: StoredModel }) {
  const close = (): void => setSession({ dialog: null });
  return (
    <Modal title={`Remove ${model.label}?`}>
      <p>
        This frees {gigabytes(model.bytes)} in this browser. The folder you opened stays on your disk, and so
        do your takes here. Concepts learned on this model need it again.
      </p>
      <div className="row end">
        <Button className="button plain" autoFocus onPress={close}>
          Keep it
        </Button>
        <Button
          className="button danger"
          onPress={() => {
            close();
            void removeModel(model);
          }}
        >
          Remove it
        </Button>
      </div>
    </Modal>
  );
}
