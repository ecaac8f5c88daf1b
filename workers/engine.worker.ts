import { expose } from 'comlink';
import { browserHost } from '../src/engine/browser-host';
import { createEngine } from '../src/engine/engine';

expose(createEngine(browserHost()));
