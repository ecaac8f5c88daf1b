import { Button } from 'react-aria-components/Button';
import type { ImageRef, Recipe } from '../../document/document';
import { placePhoto, restoreSettings } from '../../state/photos';
import { setSession } from '../../state/session-store';
import { Modal } from '../parts/Modal';
import { Picture } from '../parts/Picture';

/** A picture made here was dropped: it is a photo, a set of settings, or both. */
export function RecipeDialog({ image, recipe }: { image: ImageRef; recipe: Recipe }) {
  const choose = (act: () => void) => () => {
    setSession({ dialog: null });
    act();
  };
  return (
    <Modal title="This picture was made here">
      <div className="recipe">
        <Picture id={image.id} maxSide={320} label={image.name} />
        <dl className="facts-list">
          <dt>Photo shows</dt>
          <dd>{recipe.sourcePrompt}</dd>
          <dt>Change to</dt>
          <dd>{recipe.targetPrompt}</dd>
          {recipe.concept && (
            <>
              <dt>Concept</dt>
              <dd>
                {recipe.concept.name}, {recipe.fit ? 'fitted to the photo' : 'as it was learned'}
              </dd>
            </>
          )}
          <dt>Settings</dt>
          <dd>
            {recipe.method}, seed {recipe.seed}
          </dd>
        </dl>
      </div>
      <p className="help">It carries the settings it was made with. What should it be used for?</p>
      <div className="row end">
        <Button className="button plain" onPress={choose(() => placePhoto(image))}>
          Use as photo
        </Button>
        <Button className="button plain" onPress={choose(() => void restoreSettings(recipe))}>
          Restore settings
        </Button>
        <Button
          className="button solid"
          autoFocus
          onPress={choose(() => void restoreSettings(recipe, image))}
        >
          Both
        </Button>
      </div>
    </Modal>
  );
}
