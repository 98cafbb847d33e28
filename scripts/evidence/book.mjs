import { appendFileSync, existsSync, readFileSync } from 'node:fs';

/** What was done so far, one JSON object a line. The tests append to it. */
export class Book {
  constructor(path) {
    this.path = path;
  }

  add(line) {
    appendFileSync(this.path, `${JSON.stringify(line)}\n`);
  }

  read() {
    if (!existsSync(this.path)) return [];
    return readFileSync(this.path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }
}
