/** React binding (18 and 19): `useCallNotifications` and `<CallNotification/>`. React is the host's. */

export { CallNotification } from './react/component.js';
export { useCallNotifications } from './react/hook.js';
