import { createFiles } from '../src/files/files';
import { opfsBlobs } from '../src/storage/blobs';
import { serve } from '../src/util/rpc';

serve(createFiles(opfsBlobs()));
