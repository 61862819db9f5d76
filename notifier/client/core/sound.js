/**
 * The ring: synthesised, so there is no media file to fetch and no content policy to widen.
 *
 * Browsers keep an AudioContext suspended until the user clicks or presses a key; its `state` is the only truth about
 * whether a ring would be heard. One ring cycle is rendered once into a buffer that loops, so a throttled tab's slow
 * timers cannot make it stutter.
 */

/**
 * @typedef {object} Sound
 * @property {() => boolean} running whether a sound would be heard now
 * @property {() => boolean} waking whether it will be in a moment: the user has clicked, the browser still starts the audio
 * @property {() => boolean} supported
 * @property {() => void} unlock call it from a click or a key press
 * @property {() => void} startRing no-op if it rings already
 * @property {() => void} stopRing
 * @property {() => void} beep one short, soft note: somebody else calls while the user talks
 * @property {() => boolean} ringing
 * @property {() => void} close
 */

const CYCLE_S = 3;
/** Two soft warbles and a pause; Hz, start and length in seconds. */
const NOTES = [
  [659.25, 0, 0.18], [783.99, 0.16, 0.18], [659.25, 0.32, 0.18], [783.99, 0.48, 0.3],
  [659.25, 1.0, 0.18], [783.99, 1.16, 0.18], [659.25, 1.32, 0.18], [783.99, 1.48, 0.3],
];
const VOLUME = 0.22;

/**
 * @param {object} options
 * @param {string} options.ringtone 'synth', 'off', or the URL of a sound file
 * @param {() => void} options.onChange the context started or stopped running
 * @param {Window & typeof globalThis} options.window
 * @returns {Sound}
 */
export function createSound({ ringtone, onChange, window }) {
  const Context = ringtone === 'off' ? undefined : window.AudioContext;
  /** @type {AudioContext|null} */
  let context = null;
  /** @type {AudioBuffer|null} */
  let cycle = null;
  /** @type {AudioBufferSourceNode|null} */
  let playing = null;
  let waking = false;

  function changed() {
    waking = false;
    onChange();
  }

  function open() {
    if (context || !Context) return context;
    try {
      context = new Context({ latencyHint: 'interactive' });
    } catch {
      return null; // No audio device, or too many contexts in this page.
    }
    context.addEventListener('statechange', changed);
    cycle = render(context);
    if (ringtone !== 'synth') void load(context, ringtone);
    return context;
  }

  /** @param {AudioContext} ctx @param {string} url */
  async function load(ctx, url) {
    try {
      const answer = await window.fetch(url);
      if (answer.ok) cycle = await ctx.decodeAudioData(await answer.arrayBuffer());
    } catch {
      // The synthesised ring stays: a missing file must not make a phone silent.
    }
  }

  function stopRing() {
    if (!playing) return;
    playing.stop();
    playing.disconnect();
    playing = null;
  }

  open();
  return {
    running: () => context?.state === 'running',
    waking: () => waking,
    supported: () => Boolean(Context),
    unlock() {
      // `resume()` stays pending for ever without a gesture, so nobody waits for it; `statechange` tells.
      if (open()?.state === 'running' || !context) return;
      context.resume().catch(() => {});
      // Escape and the like are no gestures to the browser; then the sound stays locked.
      waking = window.navigator.userActivation?.hasBeenActive === true;
    },
    startRing() {
      if (playing || !context || context.state !== 'running') return;
      playing = context.createBufferSource();
      playing.buffer = cycle;
      playing.loop = true;
      playing.connect(context.destination);
      playing.start();
    },
    stopRing,
    beep() {
      if (!context || context.state !== 'running') return;
      const oscillator = context.createOscillator();
      const gain = context.createGain();
      const start = context.currentTime;
      oscillator.frequency.value = 880;
      gain.gain.setValueAtTime(0, start);
      gain.gain.linearRampToValueAtTime(VOLUME / 2, start + 0.02);
      gain.gain.exponentialRampToValueAtTime(0.0001, start + 0.25);
      oscillator.connect(gain).connect(context.destination);
      oscillator.onended = () => gain.disconnect();
      oscillator.start(start);
      oscillator.stop(start + 0.3);
    },
    ringing: () => playing !== null,
    close() {
      stopRing();
      context?.removeEventListener('statechange', changed);
      context?.close().catch(() => {});
      context = null;
    },
  };
}

/**
 * @param {AudioContext} context
 * @returns {AudioBuffer}
 */
function render(context) {
  const rate = context.sampleRate;
  const buffer = context.createBuffer(1, Math.round(rate * CYCLE_S), rate);
  const samples = buffer.getChannelData(0);
  for (const [frequency, from, length] of NOTES) {
    const first = Math.round(from * rate);
    const count = Math.round(length * rate);
    for (let i = 0; i < count; i += 1) {
      const t = i / rate;
      const envelope = Math.min(1, t / 0.012) * Math.exp(-4.5 * (t / length)) * Math.min(1, (count - i) / (0.02 * rate));
      const wave = Math.sin(2 * Math.PI * frequency * t) + 0.25 * Math.sin(4 * Math.PI * frequency * t);
      samples[first + i] += VOLUME * envelope * wave;
    }
  }
  return buffer;
}
