import { createFiles } from '../src/files/files';
import { opfsBlobs } from '../src/storage/blobs';
import { modelsFolder, openModel } from '../src/storage/models';
import { serve } from '../src/util/rpc';

// workers/ while developing and assets/ when built both lie one folder below the page
const siteRoot = new URL('..', globalThis.location.href).href;
serve(createFiles(opfsBlobs(), (id) => openModel(id, siteRoot), modelsFolder));
