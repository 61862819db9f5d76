export { createCallClient } from "./core/client.js";
export { HistoryError } from "./core/api.js";
export { callerName, callerNumber, callerDetails } from "./core/caller.js";
export { cardView, timerView } from "./core/cardview.js";
export { duration, timeOfDay } from "./core/time.js";
export { pickLanguage, translator } from "./strings/index.js";
