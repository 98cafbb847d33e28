export { Room } from './room.js';
export type { RoomEvents, RoomState } from './room-events.js';
export type { RoomHistory, RoomOptions, RoomRetry } from './options.js';
export type { Occupant } from './occupant.js';
export type { RoomMessage } from './room-message.js';
export type { Departure } from './what-follows.js';
