/** The look of the self-check; a part of styles.js, whose colours it uses. */

export const CHECK = `
.check {
  position: fixed; inset: 0; margin: auto; width: min(560px, 100vw - 24px); height: fit-content; max-height: calc(100dvh - 24px);
  overflow: auto; border: 1px solid var(--_border); border-radius: 16px; background: var(--_surface); color: var(--_text);
  padding: 0; box-shadow: 0 24px 64px rgb(0 0 0 / 30%); font: inherit; text-align: start; z-index: 2147483000;
}
.check header { display: flex; align-items: center; justify-content: space-between; gap: 12px; padding: 14px 14px 2px 22px; }
.check h2 { font-size: 18px; font-weight: 650; line-height: 1.3; margin: 0; outline: none; }
.verdict { margin: 0; padding: 0 22px 10px; font-weight: 600; }
.check [data-level="ok"] { --_level: var(--_talking); --_level-tint: var(--_talking-tint); }
.check [data-level="warn"] { --_level: var(--_hint); --_level-tint: var(--_hint-tint); }
.check [data-level="bad"] { --_level: var(--_missed); --_level-tint: var(--_missed-tint); }
.verdict { color: var(--_level); }
.checks { list-style: none; margin: 0; padding: 0 22px; border-top: 1px solid var(--_border); }
.checks li { display: grid; grid-template-columns: 26px minmax(0, 1fr) auto; gap: 12px; padding: 9px 0; align-items: center; }
.checks li + li { border-top: 1px solid var(--_border); }
.checks .mark { width: 26px; height: 26px; border-radius: 50%; display: grid; place-items: center; background: var(--_level-tint); color: var(--_level); }
.checks .mark .icon { width: 15px; height: 15px; }
.checks strong { display: block; font-weight: 600; }
.checks span { color: var(--_soft); font-size: 13px; overflow-wrap: anywhere; }
.checks .button { flex: none; }
.check footer { padding: 14px 22px 18px; display: flex; gap: 12px; align-items: center; flex-wrap: wrap; border-top: 1px solid var(--_border); }
.check footer .button { flex: none; }
.outcome { flex: 1; min-width: 160px; }
@media (max-width: 480px) {
  .check header { padding: 10px 8px 2px 16px; }
  .verdict { padding: 0 16px 10px; }
  .checks, .check footer { padding-left: 16px; padding-right: 16px; }
  .checks .button { grid-column: 2 / -1; justify-self: start; }
}
`;
