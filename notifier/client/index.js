/** The framework-free core: `createCallClient`, and what is useful to show calls in your own way. */

export { createCallClient } from './core/client.js';
export { callerName, callerNumber, callerDetails } from './core/caller.js';
export { cardView, timerView } from './core/cardview.js';
export { duration, timeOfDay } from './core/time.js';
export { HistoryError } from './core/api.js';
export { pickLanguage, translator } from './strings/index.js';
