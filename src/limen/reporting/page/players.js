// What stands beside an item: a player with its spectrogram, a picture, the beginning of a text, a link.

import { colour, painters } from "./charts.js";
import { el, nameOf } from "./dom.js";
import { content } from "./model.js";
import { paint } from "./packed.js";

/** @import { Picture } from "./model.js" */

/** The player that sounds: one at a time. @type {HTMLAudioElement | null} */
let sounding = null;

/** The name of an item, a link where it has a file or an address. @param {number} item */
export function linkOf(item) {
  const name = content.review.ids[item], has = content.media?.items[item];
  return has ? el("a", { href: has.at, target: "_blank", rel: "noopener noreferrer" }, nameOf(name)) : nameOf(name);
}

/** What shows or plays an item; null where there are no media at all. @param {number} item */
export function playerOf(item) {
  if (!content.media) return null;
  const name = content.review.ids[item], has = content.media.items[item];
  const box = el("div", { class: "media" });
  const failed = () => box.replaceChildren(el("p", { class: "muted" },
    "Not to be had here: the file is not where it was, or this browser cannot show its format."));
  if (!has) box.append(el("p", { class: "muted" }, "no file"));
  else if (has.kind === "audio") {
    const audio = /** @type {HTMLAudioElement} */ (el("audio", { controls: true, preload: "none", src: has.at,
      "aria-label": `Recording ${name}`, onerror: failed }));
    audio.addEventListener("play", () => {
      if (sounding !== audio) sounding?.pause();
      sounding = audio;
    });
    const picture = content.media.pictures[item];
    if (picture) box.append(spectrogram(picture, audio, name));
    box.append(audio);
  } else if (has.kind === "image") {
    box.append(el("img", { loading: "lazy", src: has.at, alt: `Picture ${name}`, onerror: failed }));
  } else if (has.kind === "text") box.append(el("blockquote", { dir: "auto" }, has.excerpt ?? ""));
  return box;
}

/** @param {number} hertz */
const pitch = (hertz) => (hertz < 1000 ? `${Math.round(hertz)} Hz` : `${Number((hertz / 1000).toPrecision(3))} kHz`);

/** A spectrogram that follows its recording; a click plays from there. @param {Picture} picture
 * @param {HTMLAudioElement} audio @param {string} name */
function spectrogram(picture, audio, name) {
  const seconds = `${picture.whole ? "" : "first "}${Number(picture.seconds.toPrecision(3))} s`;
  const range = `${pitch(picture.low)} to ${pitch(picture.high)}`;
  const canvas = /** @type {HTMLCanvasElement} */ (el("canvas", { role: "img",
    "aria-label": `Spectrogram of ${name}, ${range}, ${seconds}` }));
  const head = el("span", { class: "playhead", hidden: true });
  const frame = el("div", { class: "spectrogram", title: "play from here", onclick: (/** @type {MouseEvent} */ event) => {
    const { left, width } = frame.getBoundingClientRect();
    audio.currentTime = Math.min(Math.max((event.clientX - left) / width, 0), 1) * picture.seconds;
    follow();
    audio.play().catch(() => {});  // where it cannot, the player says so
  } }, canvas, head);
  const follow = () => {
    const share = audio.currentTime / picture.seconds;
    head.hidden = share === 0 || share > 1;
    head.style.left = `${100 * share}%`;
    if (!audio.paused) requestAnimationFrame(follow);
  };
  for (const change of ["play", "pause", "seeked", "ended"]) audio.addEventListener(change, follow);
  const draw = () => paint(canvas, picture, [colour.card, colour.positive, colour.text]);
  draw();
  painters.set(canvas, draw);
  return el("figure", {}, frame, el("figcaption", { class: "muted" }, el("span", {}, range), el("span", {}, seconds)));
}

/** Let go of what was drawn in an element that leaves the page. @param {Element} element */
export function letGo(element) {
  for (const canvas of element.querySelectorAll("canvas")) painters.delete(canvas);
}
