// A stretch of a recording: its spectrogram, a label's score with its cuts, true and found events, a player.

import { now } from "./counting.js";
import { filtered, framesOf, lowOf } from "./deciding.js";
import { content, ends, labels, nLabels, placeOf, recordings, references, scoresOf, starts, timeOf } from "./model.js";
import { byId, el, nameOf, svg } from "../../page/dom.js";
import { paint } from "../../page/packed.js";
import { clock } from "./parts.js";
/** @import { Span } from "./model.js" */

/** @typedef {{r: number, k: number, span: Span, from: number, to: number}} Stretch  A part of recording r that holds an
 *   event of label k, in microseconds. */

/** The stretch of a recording that holds most of an event, or its beginning. @param {number} r @param {number} k @param {Span} span
 * @returns {Stretch} */
export function stretchOf(r, k, span) {
  const length = content.stretch_us, time = span.offset - span.onset < length ? (span.onset + span.offset) / 2 : span.onset;
  const from = Math.max(Math.floor(Math.min(time, ends[r] - 1) / length), 0) * length;
  return { r, k, span, from, to: Math.min(from + length, ends[r]) };
}

/** The player that sounds: one at a time. @type {HTMLAudioElement | null} */
let sounding = null;

/**
 * A figure drawn: of which label, what draws it anew (its picture too, if asked), and whether it is in view: one that is
 * not waits to be drawn until it is.
 * @typedef {{k: number, draw: (anew?: boolean) => void, inView: boolean, late: boolean}} Drawn
 */
/** @type {Map<Element, Drawn>} */
const drawn = new Map();

const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const one = drawn.get(target);
    if (!one) continue;
    one.inView = isIntersecting;
    if (isIntersecting && one.late) { one.draw(); one.late = false; }
  }
}, { rootMargin: "300px" });

/** Draw anew, as settings are now, the figures of some labels; those out of view later. @param {(k: number) => boolean} whose */
export function drawAgain(whose) {
  for (const one of drawn.values()) {
    if (!whose(one.k)) continue;
    if (one.inView) one.draw();
    else one.late = true;
  }
}

/** Draw all anew, pictures too. */
export function repaintAll() {
  for (const one of drawn.values()) { one.draw(true); one.late = false; }
}

/** Forget what was drawn. */
export function forgetDrawn() {
  watcher.disconnect();
  drawn.clear();
}

/** @param {number} time @param {Stretch} stretch  In percent. */
const share = (time, { from, to }) => 100 * Math.min(Math.max((time - from) / (to - from), 0), 1);

/**
 * The figure of a stretch. `drawn` holds what draws it anew, as settings are now; its picture only if asked.
 * @param {Stretch} stretch @returns {{figure: HTMLElement, play: (() => void) | null, turn: (by: number) => void}}  What
 *   plays the event or stops it, and what goes to a stretch before or after.
 */
export function figureOf(stretch) {
  const { r, k, span } = stretch, audio = playerOf(stretch);
  const head = el("span", { class: "playhead", hidden: true });
  const tracks = el("div", { class: "tracks", title: audio ? "play from here" : null });
  const rows = el("div", { class: "stretch-rows" });
  const figure = el("figure", { class: "stretch" }, rows, audio ?? (content.media ? el("p", { class: "muted" }, "no recording to play") : null));
  /** @type {[string, HTMLCanvasElement] | null} */
  let painted = null;
  /** @param {string} name @param {Node} track @param {string} kind @param {string} [label]  Whose it is, if not the clip's. */
  const row = (name, track, kind, label) => {
    rows.append(el("span", { class: "row-name", title: label }, label ? el("span", {}, label) : null, ` ${name}`),
      el("div", { class: `track ${kind}` }, track));
  };
  const update = (anew = false) => {
    const { from, to } = stretch, key = `${r} ${from}`, picture = content.media?.pictures[key];
    rows.replaceChildren();
    if (picture) {
      if (anew || painted?.[0] !== key) {
        const style = getComputedStyle(document.documentElement), canvas = /** @type {HTMLCanvasElement} */ (el("canvas", { role: "img",
          "aria-label": `Spectrogram of ${recordings[r]}, ${pitch(picture.low)} to ${pitch(picture.high)}` }));
        paint(canvas, picture, ["card", "positive", "text"].map((name) => style.getPropertyValue(`--${name}`).trim()));
        canvas.style.width = `${share(picture.to, stretch)}%`;
        painted = [key, canvas];
      }
      row(`${pitch(picture.low)} to ${pitch(picture.high)}`, /** @type {[string, HTMLCanvasElement]} */ (painted)[1], "spectrum");
    }
    row("score", scoreOf(stretch), "score-track");
    lanesOf(stretch, row);
    rows.append(el("span", { class: "row-name" }), el("div", { class: "times" }, el("span", {}, clock(from)),
      el("span", {}, clock(to))));
    if (audio) rows.append(tracks);
  };
  tracks.append(head);
  update();
  drawn.set(figure, { k, draw: update, inView: true, late: false });
  watcher.observe(figure);
  const turn = (/** @type {number} */ by) => {
    stretch.from = Math.min(Math.max(stretch.from + by * content.stretch_us, 0), Math.max(Math.ceil(ends[r] / content.stretch_us) - 1, 0) * content.stretch_us);
    stretch.to = Math.min(stretch.from + content.stretch_us, ends[r]);
    head.hidden = true;
    update();
  };
  if (!audio) return { figure, play: null, turn };
  let stop = Infinity;
  const follow = () => {
    const time = 1e6 * audio.currentTime;
    if (time >= stop) { audio.pause(); stop = Infinity; }
    head.hidden = time <= stretch.from || time > stretch.to;
    head.style.left = `${share(time, stretch)}%`;
    if (!audio.paused) requestAnimationFrame(follow);
  };
  for (const change of ["play", "pause", "seeked", "ended"]) audio.addEventListener(change, follow);
  /** @param {number} time @param {number} until */
  const playFrom = (time, until) => {
    audio.currentTime = Math.max(time, 0) / 1e6;
    stop = until;
    audio.play().catch(() => {});  // where it cannot, the player says so
  };
  tracks.addEventListener("click", (event) => {
    const { left, width } = tracks.getBoundingClientRect();
    playFrom(stretch.from + (stretch.to - stretch.from) * Math.min(Math.max((event.clientX - left) / width, 0), 1), Infinity);
  });
  audio.setAttribute("aria-label", `Recording ${recordings[r]}, ${labels[k]}`);
  return { figure, turn, play: () => (audio.paused ? playFrom(span.onset - 5e5, span.offset + 5e5) : audio.pause()) };
}

/** @param {Stretch} stretch */
function playerOf({ r }) {
  const has = content.media?.items[r];
  if (has?.kind !== "audio") return null;
  const audio = /** @type {HTMLAudioElement} */ (el("audio", { controls: true, preload: "none", src: has.at,
    onerror: () => audio.replaceWith(el("p", { class: "muted" },
      "Not to be had here: the file is not where it was, or this browser cannot play its format.")) }));
  audio.addEventListener("play", () => {
    if (sounding !== audio) sounding?.pause();
    sounding = audio;
  });
  return audio;
}

/** @param {number} hertz */
const pitch = (hertz) => (hertz < 1000 ? `${Math.round(hertz)} Hz` : `${Number((hertz / 1000).toPrecision(2))} kHz`);

const HEIGHT = 100;

/** The filtered score that is decided upon, the score itself, and both cuts. @param {Stretch} stretch */
function scoreOf(stretch) {
  const { r, k, from, to, span } = stretch, chosen = now.at[k];
  const raw = scoresOf(k), smooth = filtered(k, framesOf(chosen.median));
  const first = Math.max(Math.floor(from / 1e6 / content.frame_seconds) - 1, 0);
  /** @type {number[]} */
  const places = [];
  for (let j = first; starts[r] + j < starts[r + 1] && timeOf(r, j) < to; j++) if (timeOf(r, j + 1) > from) places.push(j);
  let [low, high] = content.probabilities ? [-9, 9] : [Infinity, -Infinity];
  if (!content.probabilities) {
    for (const j of places) { low = Math.min(low, raw[starts[r] + j]); high = Math.max(high, raw[starts[r] + j]); }
    if (Number.isFinite(chosen.threshold)) { low = Math.min(low, lowOf(k, chosen)); high = Math.max(high, chosen.threshold); }
    high += 0.05 * (high - low) || 1;
  }
  /** @param {number} score */
  const height = (score) => HEIGHT * (1 - Math.min(Math.max((placeOf(score) - low) / (high - low), 0), 1));
  /** @param {ArrayLike<number>} scores */
  const steps = (scores) => places.map((j) => [j, j + 1].map((frame) => (
    `${(10 * share(timeOf(r, frame), stretch)).toFixed(1)},${height(scores[starts[r] + j]).toFixed(1)}`)).join(" ")).join(" ");
  const drawing = svg("svg", { viewBox: `0 0 1000 ${HEIGHT}`, preserveAspectRatio: "none", role: "img",
    "aria-label": `Score of ${labels[k]} with its cuts` });
  const left = 10 * share(span.onset, stretch);
  if (span.offset > from && span.onset < to) {
    drawing.append(svg("rect", { class: "here", x: left, y: 0, width: Math.max(10 * share(span.offset, stretch) - left, 2), height: HEIGHT }));
  }
  drawing.append(
    svg("polyline", { class: "raw", points: steps(raw) }),
    svg("polyline", { class: "smooth", points: steps(smooth) }));
  if (Number.isFinite(chosen.threshold)) {
    for (const [kind, cut] of /** @type {[string, number][]} */ ([["low", lowOf(k, chosen)], ["high", chosen.threshold]])) {
      drawing.append(svg("line", { class: `cut-${kind}`, x1: 0, x2: 1000, y1: height(cut), y2: height(cut) }));
    }
  }
  return drawing;
}

/** True and found events of the stretch: of its label, or of all. @param {Stretch} stretch
 * @param {(name: string, track: Node, kind: string, label?: string) => void} row */
function lanesOf(stretch, row) {
  const all = /** @type {HTMLInputElement} */ (byId("all-labels")).checked;
  const { r, k, from, to } = stretch;
  /** @param {Span} span */
  const inside = ({ onset, offset }) => offset > from && onset < to;
  const also = all ? labels.map((_, other) => other).filter((other) => other !== k && other < nLabels
    && (references[other][r].some(inside) || now.outcomes[other].events[r].some(inside))) : [];
  for (const label of [k, ...also]) {
    const { events, matches } = now.outcomes[label], { found, right } = matches[r];
    const name = label === k ? undefined : labels[label];
    row("true", laneOf(references[label][r], stretch, label, (n) => (found[n] ? "true" : "missed")), "lane", name);
    row("found", laneOf(events[r], stretch, label, (n) => (right[n] ? "right" : "false")), "lane", name);
  }
}

/** @param {Span[]} spans @param {Stretch} stretch @param {number} label @param {(n: number) => string} kindOf */
function laneOf(spans, stretch, label, kindOf) {
  /** @type {string[]} */
  const said = [];
  const lane = el("div", { class: "bars", role: "img" });
  spans.forEach((span, n) => {
    if (span.offset <= stretch.from || span.onset >= stretch.to) return;
    const kind = kindOf(n), left = share(span.onset, stretch);
    const words = { true: "found", missed: "missed", right: "right", false: "false" }[kind];
    said.push(`${clock(span.onset)} to ${clock(span.offset)} ${words}`);
    const bar = el("span", { class: `event event-${kind}`,
      title: `${labels[label]}, ${clock(span.onset)} to ${clock(span.offset)}: ${words}` });
    bar.style.left = `${left}%`;
    bar.style.width = `${Math.max(share(span.offset, stretch) - left, 0.3)}%`;
    lane.append(bar);
  });
  lane.setAttribute("aria-label", `${labels[label]}: ${said.join(", ") || "none"}`);
  return lane;
}

/** A name that leads to the file, where there is one. @param {number} r */
export function linkOf(r) {
  const name = nameOf(recordings[r]), has = content.media?.items[r];
  return has ? el("a", { href: has.at, target: "_blank", rel: "noopener noreferrer" }, name) : name;
}
