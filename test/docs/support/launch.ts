// Runs one program and tells the test when it has come to its end, though a link may still keep the process alive.
import './detour.js';

// The program sees the command line that it would have by itself.
process.argv.splice(1, 1);
await import(process.argv[1] ?? '');
process.send?.('done');
process.disconnect();
