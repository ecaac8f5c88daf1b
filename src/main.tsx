import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { startServiceWorker } from './service-worker';
import { followModel, startEngine } from './state/engine';
import { readModels } from './state/models';
import { startSaving } from './state/save';
import { App } from './ui/App';
import './ui/styles/theme.css';
import './ui/styles/layout.css';
import './ui/styles/controls.css';
import './ui/styles/canvas.css';
import './ui/styles/concepts.css';
import './ui/styles/dialogs.css';
import './ui/styles/fitting.css';
import './ui/styles/learning.css';
import './ui/styles/viewer.css';
import { logLevelFrom, setLogLevel } from './util/log';

setLogLevel(logLevelFrom(location.search));
// a missed drop must never leave the page, not even while the studio starts
for (const type of ['dragover', 'drop']) addEventListener(type, (event) => event.preventDefault());
await startServiceWorker();
void startEngine();
void readModels();
await startSaving();
followModel();
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
