/** Where a broker stands: `Broker.state`. */
export type BrokerState =
  /**
   * Made, or closed by `shutdown`. Nothing is going on: what is output is held in the queue, and `connect` begins.
   */
  | 'idle'
  /**
   * After `connect`, with a store of the queue: it is being opened, or another process has it and this one waits. Nothing is
   * dialled. `shutdown` and an abort signal end the waiting.
   */
  | 'standby'
  /**
   * From PCJ_CONNECT on: the server's name is resolved and its addresses are dialled. What is output is held. `connect`
   * begins anew, `shutdown` and an abort signal end the attempt with its one failure event.
   */
  | 'connecting'
  /**
   * From PCJ_CONNECTED on: the dialect has the stream, up to its failure or PCJ_READY. Commands do the same as while
   * `connecting`.
   */
  | 'negotiating'
  /**
   * From PCJ_READY on: stanzas are sent when they are output, `queue.send` sends what is held, and what arrives is
   * published.
   */
  | 'ready'
  /**
   * The link is being closed, by us or because of a fault, and its socket is still open. What arrives is delivered unless
   * the link was lost; what is output is held, for the next link.
   */
  | 'closing'
  /**
   * A link was lost, or an attempt failed, and will be dialled again by itself: PCJ_RECONNECTING said when. A managed session
   * is kept meanwhile. `connect` dials now, `shutdown` gives up.
   */
  | 'waiting'
  /**
   * Lost, failed or given up, and nobody dials: `closed` resolves with the error. `connect` begins again. Also while the
   * events tell that a link was lost; what follows is decided behind them.
   */
  | 'disconnected'
  /** Ended by `halt`, for ever: no event is published any more, and commands throw `BROKER_HALTED`. */
  | 'halted';
