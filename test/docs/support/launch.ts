// Runs one program and tells the test when it has come to its end, though a link may still keep the process alive.
import './detour.js';

await import(process.argv[2] ?? '');
process.send?.('done');
process.disconnect();
