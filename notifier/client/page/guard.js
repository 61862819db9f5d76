/*
 * The page is some forty files. If one of them does not come (the notifier is just being restarted, a laptop changes its
 * network), none of it runs, and the tab stays empty all day: then it is loaded again. No module, so it needs no other file.
 */
window.addEventListener('error', ({ target }) => {
  const needed = target instanceof HTMLScriptElement || (target instanceof HTMLLinkElement && target.rel === 'stylesheet');
  if (needed) setTimeout(() => window.location.reload(), 2000 + 6000 * Math.random()); // not everybody at once
}, { capture: true });
