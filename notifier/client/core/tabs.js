/**
 * One voice for many tabs: of all tabs whose audio may play, exactly one rings.
 *
 * With Web Locks the browser itself keeps the queue: a tab that can sound waits for the lock, and whoever holds it
 * rings; a closed or crashed tab passes it on at once. On plain-http pages there are no locks, so tabs hold a short
 * election over BroadcastChannel whenever a call starts to ring. (Neither crosses browsers: two computers both ring.)
 */

/**
 * @typedef {object} Tabs
 * @property {(can: boolean) => void} setCandidate whether this tab could be heard
 * @property {(rings: boolean) => void} setRinging whether a call rings now; only the fallback needs to know
 * @property {() => boolean} isRinger
 * @property {(message: object) => void} post to this user's other tabs
 * @property {() => void} close
 */

const ELECTION_MS = 80;
const BEAT_MS = 1000;
const SILENCE_MS = 2500;

/**
 * @param {object} options
 * @param {string} options.id this tab's; elections compare it
 * @param {string} options.scope tabs of another user or server must not share a voice
 * @param {() => void} options.onChange `isRinger()` changed
 * @param {(message: any) => void} options.onMessage
 * @param {Window & typeof globalThis} options.window
 * @returns {Tabs}
 */
export function createTabs({ id, scope, onChange, onMessage, window }) {
  const channel = window.BroadcastChannel ? new window.BroadcastChannel(`zvonok:${scope}`) : null;
  const locks = window.navigator.locks;
  const voice = locks ? lockedVoice() : electedVoice();
  const life = new AbortController();

  // Holding any lock exempts a tab from Chrome's freezing of background tabs; a WebSocket does not.
  if (locks) hold(`zvonok-tab:${id}`, life.signal, () => {});
  if (channel) {
    channel.onmessage = ({ data }) => {
      if (data?.election) voice.hear(data);
      else onMessage(data);
    };
  }

  /** @param {string} name @param {AbortSignal} signal @param {() => void} held */
  function hold(name, signal, held) {
    locks
      .request(name, { signal }, () => {
        if (signal.aborted) return undefined;
        held();
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }));
      })
      .catch(() => {}); // Aborted while it waited: that is how a tab leaves the queue.
  }

  function lockedVoice() {
    /** @type {AbortController|null} */
    let waiting = null;
    let mine = false;
    return {
      /** @param {boolean} can */
      setCandidate(can) {
        if (can && !waiting) {
          waiting = new AbortController();
          hold(`zvonok-ringer:${scope}`, waiting.signal, () => {
            mine = true;
            onChange();
          });
        } else if (!can && waiting) {
          waiting.abort();
          waiting = null;
          if (mine) {
            mine = false;
            onChange();
          }
        }
      },
      setRinging() {},
      hear() {},
      isRinger: () => mine,
    };
  }

  function electedVoice() {
    let candidate = false;
    let ringing = false;
    let leads = false;
    /** @type {any} */
    let timer = null;

    /** @param {string} election */
    const say = (election) => channel?.postMessage({ election, id });

    /** @param {boolean} now */
    function lead(now) {
      if (leads === now) return;
      leads = now;
      onChange();
    }

    /** @param {number} ms @param {() => void} run */
    function later(ms, run) {
      window.clearTimeout(timer);
      timer = window.setTimeout(run, ms);
    }

    function claim() {
      say('claim');
      later(ELECTION_MS, () => {
        lead(true);
        beat();
      });
    }

    function beat() {
      say('lead');
      later(BEAT_MS, beat);
    }

    function step(stopped = false) {
      if (candidate && ringing) return claim();
      window.clearTimeout(timer);
      if (leads || stopped) say('bye');
      lead(false);
    }

    return {
      /** @param {boolean} can */
      setCandidate(can) {
        if (can === candidate) return;
        candidate = can;
        if (ringing) step(!can);
      },
      /** @param {boolean} rings */
      setRinging(rings) {
        if (rings === ringing) return;
        ringing = rings;
        if (candidate) step();
      },
      /** @param {{election: string, id: string}} said */
      hear({ election, id: other }) {
        if (!candidate || !ringing || other === id) return;
        if (election === 'bye') return claim();
        if (leads && (election === 'claim' || other > id)) return beat();
        if (election === 'lead' || other < id) {
          lead(false);
          later(SILENCE_MS, claim); // If the one who rings dies without a word, somebody goes on.
        } else {
          say('claim');
        }
      },
      isRinger: () => leads,
    };
  }

  return {
    setCandidate: voice.setCandidate,
    setRinging: voice.setRinging,
    isRinger: voice.isRinger,
    post: (message) => channel?.postMessage(message),
    close() {
      voice.setCandidate(false);
      life.abort();
      channel?.close();
    },
  };
}
