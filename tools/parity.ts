/** npm run parity -- DIR... [--backend node|wasm|webgpu] */
import { main } from './parity/main';

process.exitCode = await main(process.argv.slice(2), { line: console.log, complaint: console.error });
