/** Longest text that pieces are joined to, in UTF-16 code units. */
const LONGEST_JOINED = 256;

/**
 * Markup that is written again and again, such as a name. What follows it is mostly the same as last time, so a piece
 * remembers that, and the two become one: a text that is put together from few pieces is written faster.
 */
export class Piece {
  /** What followed last. */
  private follower: Piece | null = null;
  private joined: Piece | null = null;

  constructor(readonly text: string) {}

  /** This piece and the next one as one, if they have met before. */
  with(next: Piece): Piece | null {
    if (this.follower === next) return (this.joined ??= this.join(next));
    // What is too long is not even remembered: a peer may have made it up.
    if (this.text.length + next.text.length <= LONGEST_JOINED) {
      this.follower = next;
      this.joined = null;
    }
    return null;
  }

  /** Not with an operator, which would only note what the text consists of. */
  private join({ text }: Piece): Piece {
    return new Piece([this.text, text].join(''));
  }
}

/** How the name of an attribute is written, or its name and value without the closing quote. */
export interface AttributeMarkup {
  /** Behind the name of the element. */
  readonly first: Piece;
  /** Behind the value of another attribute, whose quote it closes. */
  readonly next: Piece;
}

/** How name and value of an attribute are written that comes again and again. */
export interface KnownMarkup extends AttributeMarkup {
  readonly value: string;
}
