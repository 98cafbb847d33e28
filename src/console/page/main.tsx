import { render } from 'preact';
import { Program, takeToken } from './access.js';
import { App } from './app.js';

const root = document.getElementById('app');
if (root !== null) render(<App program={new Program(takeToken())} />, root);
