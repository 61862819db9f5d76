/** Line icons, drawn as SVG nodes (emoji are missing on many office computers). 24 x 24, stroke of the text's colour. */

const SVG = 'http://www.w3.org/2000/svg';

/** @type {Record<string, string>} */
const PATHS = {
  phone:
    'M6.6 3.5h2.6l1.5 4-2 1.6a12 12 0 0 0 6.2 6.2l1.6-2 4 1.5v2.6a2.1 2.1 0 0 1-2.3 2.1A16.6 16.6 0 0 1 4.5 5.8a2.1 2.1 0 0 1 2.1-2.3z',
  incoming: 'M20 4l-6 6M14 5v5h5M5.6 4.5h2.3l1.3 3.5-1.8 1.4a10.5 10.5 0 0 0 5.5 5.5l1.4-1.8 3.5 1.3v2.3a1.9 1.9 0 0 1-2 1.9A14.8 14.8 0 0 1 3.7 6.5a1.9 1.9 0 0 1 1.9-2z',
  missed: 'M8.5 4.5H4.5v4M4.8 4.8L12 12l7-7M2.6 17.6c5.2-5 13.6-5 18.8 0l-2.6 2.6-3.6-1.5v-2.5a11 11 0 0 0-6.4 0v2.5l-3.6 1.5z',
  bell: 'M12 3.5a5.5 5.5 0 0 0-5.5 5.5c0 5-2 6.5-2 6.5h15s-2-1.5-2-6.5A5.5 5.5 0 0 0 12 3.5zM10.2 19a2 2 0 0 0 3.6 0',
  bellOff:
    'M4 4l16 16M17.3 13.5c.7 1.4 1.7 2 2.2 2.3M8.3 5a5.5 5.5 0 0 1 9.2 4c0 1 .1 1.9.2 2.7M15.5 15.5h-11s2-1.5 2-6.5c0-.6.1-1.2.3-1.7M10.2 19a2 2 0 0 0 3.6 0',
  close: 'M6 6l12 12M18 6L6 18',
  down: 'M6 9l6 6 6-6',
  up: 'M6 15l6-6 6 6',
  copy: 'M9 9h10.5v10.5H9zM15 9V4.5H4.5V15H9',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  user: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5a7.5 7.5 0 0 1 15 0',
  volume: 'M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4 4 0 0 1 0 6M18 6.5a7.8 7.8 0 0 1 0 11',
  mute: 'M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM16 9.5l5 5M21 9.5l-5 5',
  gear: 'M12 15.2a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4zM19.4 13.5l1.7 1.3-1.9 3.3-2-.8a7.4 7.4 0 0 1-2.2 1.3l-.3 2.1h-3.8l-.3-2.1a7.4 7.4 0 0 1-2.2-1.3l-2 .8-1.9-3.3 1.7-1.3a7.6 7.6 0 0 1 0-3L4.5 9.2l1.9-3.3 2 .8a7.4 7.4 0 0 1 2.2-1.3l.3-2.1h3.8l.3 2.1a7.4 7.4 0 0 1 2.2 1.3l2-.8 1.9 3.3-1.7 1.3a7.6 7.6 0 0 1 0 3z',
  help: 'M9.2 9.2a2.9 2.9 0 1 1 4.3 2.5c-1 .6-1.5 1.2-1.5 2.3M12 17.3v.1M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z',
  warning: 'M12 4L2.8 19.5h18.4zM12 10v4.5M12 17.2v.1',
  offline: 'M3 3l18 18M5 12.5a10 10 0 0 1 4.5-2.6M8.5 16a5 5 0 0 1 6-.7M12 19.5v.1M2 9a15 15 0 0 1 5-3.2M11 5a15 15 0 0 1 11 4M15.5 10.5a10 10 0 0 1 3.5 2',
};

/**
 * @param {keyof typeof PATHS} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('class', 'icon');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', PATHS[name]);
  path.setAttribute('fill', 'none');
  path.setAttribute('stroke', 'currentColor');
  path.setAttribute('stroke-width', '1.8');
  path.setAttribute('stroke-linecap', 'round');
  path.setAttribute('stroke-linejoin', 'round');
  svg.append(path);
  return svg;
}
