import { Button } from 'react-aria-components/Button';
import type { ImageRef } from '../../document/document';
import { addToConcept, receivingConcept } from '../../state/concepts';
import { placePhoto } from '../../state/photos';
import { session, setSession } from '../../state/session-store';
import { useDocument, useSession } from '../../state/use-store';
import { Modal } from '../parts/Modal';
import { Picture } from '../parts/Picture';

/** One picture came while a photo is open: it may be another photo, or show what a concept is to learn. */
export function PictureDialog({ image }: { image: ImageRef }) {
  const editing = useSession((now) => now.edit !== null);
  const concept = useDocument((doc) => receivingConcept(doc, session()));
  const choose = (act: () => void) => () => {
    setSession({ dialog: null });
    act();
  };
  return (
    <Modal title="What is this picture for?">
      <div className="recipe">
        <Picture id={image.id} maxSide={320} label={image.name} />
        <p className="help">
          {editing
            ? 'An edit is running: the photo can be replaced when it has ended.'
            : 'Replacing the photo keeps your takes.'}
        </p>
      </div>
      <div className="row end">
        <Button className="button plain" onPress={choose(() => void addToConcept(image))}>
          {concept ? `Add to ${concept.name || 'the unnamed concept'}` : 'New concept'}
        </Button>
        <Button
          className="button solid"
          autoFocus
          isDisabled={editing}
          onPress={choose(() => placePhoto(image))}
        >
          Replace photo
        </Button>
      </div>
    </Modal>
  );
}
