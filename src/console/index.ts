export { openConsole, type ConsoleOptions, type OpenConsole } from './open-console.js';
