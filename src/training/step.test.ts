import { openBackend } from '../runtime/backend';
import { loadOrtNode } from '../runtime/ort-node';
import { stepTests } from './step-cases';

stepTests(() => openBackend('node', { load: loadOrtNode, threads: 1 }));
