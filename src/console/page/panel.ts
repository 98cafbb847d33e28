import type { Hello } from '../messages.js';
import type { Program } from './access.js';
import type { PageState } from './state.js';

/** What each of the panels beside the live list is given. */
export interface PanelProps {
  readonly program: Program;
  readonly state: PageState;
  readonly hello: Hello;
}
