/** The card's look. `--zvonok-*` and `::part()` are its public surface; contrast of all text is at least 4.5:1. */

import { CHECK } from './checkstyles.js';

/** @type {string} */
export const CSS = `
:host {
  --_accent: var(--zvonok-accent, #0b57d0);
  --_on-accent: var(--zvonok-on-accent, #fff);
  --_surface: var(--zvonok-surface, #fff);
  --_raised: var(--zvonok-raised, #f4f6f9);
  --_text: var(--zvonok-text, #14181f);
  --_soft: var(--zvonok-text-soft, #535c69);
  --_border: var(--zvonok-border, #dfe3e8);
  --_shadow: var(--zvonok-shadow, 0 1px 2px rgb(16 24 40 / 8%), 0 12px 32px rgb(16 24 40 / 18%));
  --_radius: var(--zvonok-radius, 14px);
  --_ringing: #0b4fb3; --_ringing-tint: #e8f1ff;
  --_talking: #0f6b36; --_talking-tint: #e6f6ec;
  --_ended: #4a525d; --_ended-tint: #f0f2f5;
  --_missed: #9a3412; --_missed-tint: #fff0e6;
  --_hint: #7a4b00; --_hint-tint: #fff4d6;
  color-scheme: light;
  font: 400 14px/1.4 var(--zvonok-font, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif);
  color: var(--_text);
  letter-spacing: normal; word-spacing: normal; text-transform: none; text-indent: 0; text-shadow: none; white-space: normal;
  display: contents;
}
:host([position="inline"]) { display: block; }
DARK(:host([theme="dark"]))
@media (prefers-color-scheme: dark) { DARK(:host(:not([theme="light"]))) }

*, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }
.spoken { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.stack {
  --_room: 24px; /* for the shadows, which scrolling would clip; clicks beside the cards belong to the page */
  position: fixed; inset: auto; margin: 0; border: 0; background: none; color: inherit; overflow: auto; pointer-events: none;
  z-index: 2147483000; width: calc(min(360px, 100vw - 24px) + 2 * var(--_room)); max-height: 100dvh; padding: var(--_room);
  display: flex; flex-direction: column; gap: 8px; font: inherit; text-align: start; scrollbar-width: none;
}
.stack > * { pointer-events: auto; }
.stack[popover]:not(:popover-open) { display: none; }
.stack:not([data-place$="left"]) { right: calc(max(12px, env(safe-area-inset-right)) - var(--_room)); }
.stack[data-place$="left"] { left: calc(max(12px, env(safe-area-inset-left)) - var(--_room)); }
.stack:not([data-place^="top"]) { bottom: calc(max(12px, env(safe-area-inset-bottom)) - var(--_room)); }
.stack[data-place^="top"] { top: calc(max(12px, env(safe-area-inset-top)) - var(--_room)); }
.stack[data-place="inline"] { position: static; width: 100%; max-height: none; z-index: auto; overflow: visible; padding: 0; }
.stack[data-place="inline"] .notes:has(+ .card[hidden]) { margin-bottom: 16px; }
.stack[data-place="inline"] :is(.card, .row, .note, .pill) { box-shadow: none; }

.card, .row, .note { background: var(--_surface); border: 1px solid var(--_border); box-shadow: var(--_shadow); flex: none; }
.card { position: relative; border-radius: var(--_radius); overflow: hidden; padding: 10px 16px 14px 20px; --_c: var(--_ended); --_tint: var(--_ended-tint); }
.card::before { content: ""; position: absolute; inset: 0 auto 0 0; width: 4px; background: var(--_c); }
[data-look="ringing"] { --_c: var(--_ringing); --_tint: var(--_ringing-tint); }
[data-look="talking"] { --_c: var(--_talking); --_tint: var(--_talking-tint); }
[data-look="ended"] { --_c: var(--_ended); --_tint: var(--_ended-tint); }
[data-look="missed"] { --_c: var(--_missed); --_tint: var(--_missed-tint); }

.header { display: flex; align-items: center; gap: 8px; min-height: 32px; margin-right: -8px; }
.dot { width: 10px; height: 10px; border-radius: 50%; background: var(--_c); flex: none; }
.status { font-size: 14px; font-weight: 600; color: var(--_c); flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.test { font-size: 12px; font-weight: 600; color: var(--_hint); background: var(--_hint-tint); border-radius: 999px; padding: 2px 9px; white-space: nowrap; }
button { font: inherit; color: inherit; cursor: pointer; border: 0; background: none; }
.iconbutton { width: 32px; height: 32px; border-radius: 8px; display: grid; place-items: center; color: var(--_soft); padding: 0; flex: none; }
.iconbutton:hover { background: var(--_raised); color: var(--_text); }
.icon { width: 18px; height: 18px; display: block; }
:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }

.who { display: grid; grid-template-columns: 44px 1fr; gap: 0 12px; align-items: start; margin: 6px 0 12px; }
.avatar { width: 44px; height: 44px; border-radius: 50%; display: grid; place-items: center; background: var(--_tint); color: var(--_c); font-weight: 650; font-size: 16px; margin-top: 2px; user-select: none; }
.avatar .icon { width: 22px; height: 22px; }
.person { min-width: 0; }
.name { font-size: 18px; font-weight: 650; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
.name, .number, .details, .claim, .extra { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; }
.details { -webkit-line-clamp: 3; }
.numberline { display: flex; align-items: center; gap: 2px; min-height: 28px; }
.number { font-size: 15px; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.copy { width: 28px; height: 28px; }
.copy .icon { width: 15px; height: 15px; }
.details, .more, .claim { font-size: 13px; color: var(--_soft); overflow-wrap: anywhere; }
.badges { display: flex; flex-wrap: wrap; gap: 6px; margin-top: 6px; }
.badge { font-size: 12px; font-weight: 600; padding: 2px 9px; border-radius: 999px; background: var(--_raised); color: var(--_soft); }
.badge.repeat { background: var(--_missed-tint); color: var(--_missed); }

.band { display: flex; align-items: center; justify-content: space-between; gap: 12px; background: var(--_tint); color: var(--_c); border-radius: 10px; padding: 8px 14px; min-height: 56px; }
.message { font-size: 15px; font-weight: 600; line-height: 1.3; }
.timer { font-size: 20px; font-weight: 650; line-height: 1.2; font-variant-numeric: tabular-nums; white-space: nowrap; }
.timer.words { font-size: 14px; font-weight: 600; }
.right { display: grid; justify-items: end; flex: none; max-width: 45%; }
.caption { font-size: 12px; line-height: 1.2; }
.extra { font-size: 13px; color: var(--_soft); margin: 8px 0 0; overflow-wrap: anywhere; }
.stale .timer { color: var(--_soft); opacity: .75; }

.hint { display: flex; align-items: center; gap: 8px; margin-top: 8px; padding: 6px 6px 6px 12px; border-radius: 10px; background: var(--_hint-tint); color: var(--_hint); font-size: 13px; font-weight: 500; }
.hint div { flex: 1; min-width: 0; display: grid; align-items: center; }
.hint span { grid-area: 1 / 1; }
.hint:not([data-sound="blocked"]) { background: var(--_raised); color: var(--_soft); }
.hint:not([data-sound="blocked"]) :is(.blocked, .linkbutton) { visibility: hidden; } /* and keeps its place */
.hint .icon { flex: none; display: block; width: 16px; height: 16px; }
.linkbutton { font-weight: 650; color: inherit; padding: 5px 10px; border-radius: 8px; background: color-mix(in srgb, currentColor 12%, transparent); white-space: nowrap; }
.linkbutton:hover { background: color-mix(in srgb, currentColor 20%, transparent); }

.past, .pastnote { margin: 10px 0 0; padding: 8px 0 0; border-top: 1px solid var(--_border); font-size: 13px; }
.pastnote { color: var(--_soft); }
.past summary { cursor: pointer; color: var(--_soft); font-weight: 500; border-radius: 4px; }
.past ul { list-style: none; margin: 6px 0 0; padding: 0; display: grid; gap: 3px; }
.past li { display: flex; justify-content: space-between; gap: 12px; color: var(--_soft); font-variant-numeric: tabular-nums; }
.past li.missed { color: var(--_missed); }

.footer { display: flex; gap: 8px; margin-top: 12px; flex-wrap: wrap; }
.button { flex: 1 1 auto; min-height: 36px; padding: 7px 14px; border-radius: 9px; font-weight: 600; text-align: center; text-decoration: none; border: 1px solid var(--_border); background: var(--_surface); color: var(--_text); }
.button:hover { background: var(--_raised); }
.button.primary { background: var(--_accent); border-color: var(--_accent); color: var(--_on-accent); }
.button.primary:hover { background: color-mix(in srgb, var(--_accent) 88%, #000); }

.rows { display: grid; grid-template-columns: minmax(0, 1fr); gap: 6px; flex: none; }
.row { display: flex; align-items: center; gap: 8px; min-height: 44px; padding: 2px 6px 2px 14px; border-radius: 11px; }
.rowname { flex: 1; min-width: 0; font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.row .rowstate { font-size: 13px; font-weight: 600; color: var(--_c); font-variant-numeric: tabular-nums; white-space: nowrap; }
.bar { display: flex; justify-content: space-between; align-items: center; gap: 8px; flex: none; }
.pill { font-size: 13px; font-weight: 600; padding: 6px 14px; border-radius: 999px; background: var(--_surface); border: 1px solid var(--_border); box-shadow: var(--_shadow); color: var(--_soft); }
button.pill:hover { color: var(--_text); background: var(--_raised); }
.bar > :last-child { margin-inline-start: auto; }
.note { display: flex; align-items: center; gap: 8px; border-radius: 11px; padding: 8px 8px 8px 14px; font-size: 13px; font-weight: 500; }
.note span { flex: 1; min-width: 0; }
.note.warn { background: var(--_hint-tint); color: var(--_hint); border-color: transparent; }
.note.missed { background: var(--_missed-tint); color: var(--_missed); border-color: transparent; }
.note .icon { flex: none; }
.note details { flex: 1; min-width: 0; }
.note summary { cursor: pointer; border-radius: 4px; }
.note ul { list-style: none; margin: 4px 0 2px; padding: 0; display: grid; gap: 2px; font-weight: 400; }
.note li { display: flex; justify-content: space-between; gap: 12px; font-variant-numeric: tabular-nums; }
.note li bdi { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.note .iconbutton { color: inherit; }
.note a { color: inherit; min-width: 0; }
.minimised .details, .minimised .who, .minimised .band, .minimised .hint, .minimised .footer, .minimised .past, .minimised .pastnote, .minimised .extra { display: none; }

${CHECK}
@media (prefers-reduced-motion: no-preference) {
  .card { animation: arrive .18s ease-out; }
  .card[data-look="ringing"]:not(.stale) .dot, .row[data-look="ringing"] .dot { animation: pulse 1.6s ease-in-out infinite; }
}
@keyframes arrive { from { opacity: 0; } } /* and nothing moves: the user may be aiming at a button */
@keyframes pulse { 50% { box-shadow: 0 0 0 5px color-mix(in srgb, var(--_c) 22%, transparent); } }
@media (forced-colors: active) {
  .card, .row, .note, .button, .pill { border: 1px solid CanvasText; }
  .dot, .card::before { background: CanvasText; forced-color-adjust: none; }
}
@media print { .stack { display: none; } }
`;

const DARK = `{
  --_accent: var(--zvonok-accent, #8ab4ff); --_on-accent: var(--zvonok-on-accent, #0a1a33);
  --_surface: var(--zvonok-surface, #1b2027); --_raised: var(--zvonok-raised, #262d37);
  --_text: var(--zvonok-text, #eef1f5); --_soft: var(--zvonok-text-soft, #a9b3c1);
  --_border: var(--zvonok-border, #343c48);
  --_shadow: var(--zvonok-shadow, 0 1px 2px rgb(0 0 0 / 40%), 0 12px 32px rgb(0 0 0 / 55%));
  --_ringing: #9cc2ff; --_ringing-tint: #17315a;
  --_talking: #86dba8; --_talking-tint: #123c26;
  --_ended: #b8c1cd; --_ended-tint: #2a313b;
  --_missed: #ffb894; --_missed-tint: #46261a;
  --_hint: #ffd78a; --_hint-tint: #42340f;
  color-scheme: dark;
}`;

/** @type {CSSStyleSheet|null} */
let sheet = null;

/**
 * One sheet for all cards of a page; constructed, so `style-src 'self'` allows it.
 * @returns {CSSStyleSheet}
 */
export function styles() {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS.replace(/DARK\((.+)\)( \})?$/gm, (_, selector, end) => `${selector} ${DARK}${end ?? ''}`));
  }
  return sheet;
}
