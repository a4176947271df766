// The clips that matter most: surely missed, surely false, nearest to a cut.

import { changed, now } from "./counting.js";
import { filtered, framesOf } from "./deciding.js";
import { drawn, figureOf, linkOf, stretchOf } from "./drawing.js";
import { content, labels, nLabels, nRecordings, placeOf, references, starts, timeOf } from "./model.js";
import { byId, counted, el, nameOf, whole } from "../../page/dom.js";
import { seconds, short } from "./parts.js";
/** @import { Span } from "./model.js" */

/** @typedef {{kind: string, k: number, r: number, span: Span, truth: boolean, peak: number, far: number}} Clip  An event
 *   that is missed, false, or right; how far the peak of its score lies above the cut, as drawn. */

const PAGE = 12;
/** @type {[string, string, string][]} */
const KINDS = [["all", "in turn", ""], ["missed", "missed", "missed"], ["false", "false", "false"], ["near", "nearest to a cut", "near"]];

const list = {
  kind: "all",
  most: PAGE,
  /** @type {Record<string, Clip[]>} */
  clips: {},
};

/** The peak of a label's filtered score in a span. @param {number} k @param {number} r @param {Span} span */
function peakIn(k, r, span) {
  const scores = filtered(k, framesOf(now.chosen[k].median));
  let peak = -Infinity;
  for (let j = Math.max(Math.floor(span.onset / 1e6 / content.frame_seconds) - 1, 0); starts[r] + j < starts[r + 1]; j++) {
    if (timeOf(r, j) >= span.offset) break;
    if (timeOf(r, j + 1) > span.onset) peak = Math.max(peak, scores[starts[r] + j]);
  }
  return peak;
}

/** @returns {Clip[]} */
function allClips() {
  /** @type {Clip[]} */
  const clips = [];
  for (let k = 0; k < nLabels; k++) {
    const cut = placeOf(now.chosen[k].threshold);
    for (let r = 0; r < nRecordings; r++) {
      const { found, right } = now.outcomes[k].matches[r];
      /** @param {string} kind @param {Span} span @param {boolean} truth */
      const add = (kind, span, truth) => {
        const peak = peakIn(k, r, span);
        clips.push({ kind, k, r, span, truth, peak, far: placeOf(peak) - cut });
      };
      references[k][r].forEach((span, n) => { if (!found[n]) add("missed", span, true); });
      now.outcomes[k].events[r].forEach((span, n) => add(right[n] ? "right" : "false", span, false));
    }
  }
  return clips;
}

/** Order all clips by the settings as they are now. */
function order() {
  const clips = allClips();
  /** @param {string} kind */
  const of = (kind) => clips.filter((clip) => clip.kind === kind);
  // A missed event whose score is far above the cut was cut wrongly, one far below was not heard: both are sure.
  const missed = of("missed").sort((a, b) => Math.abs(b.far) - Math.abs(a.far));
  const wrong = of("false").sort((a, b) => b.far - a.far);
  const near = clips.filter(({ far }) => Number.isFinite(far)).sort((a, b) => Math.abs(a.far) - Math.abs(b.far)).slice(0, 200);
  const turns = Array.from({ length: Math.max(missed.length, wrong.length, near.length) },
    (_, n) => [missed[n], wrong[n], near[n]]).flat().filter(Boolean);
  // What is missed and what is found falsely in its place are one clip to listen to.
  /** @type {Clip[]} */
  const all = [];
  /** @type {Map<string, Clip[]>} */
  const heard = new Map();
  for (const clip of turns) {
    const key = `${clip.k} ${clip.r}`, others = heard.get(key) ?? [];
    if (others.some(({ span }) => span.onset < clip.span.offset && clip.span.onset < span.offset)) continue;
    heard.set(key, [...others, clip]);
    all.push(clip);
  }
  list.clips = { all, missed, false: wrong, near };
}

/** What became of an event with the settings as they are now. @param {Clip} clip */
function stateOf({ k, r, span, truth }) {
  const { events, matches } = now.outcomes[k], { found, right } = matches[r];
  if (truth) return found[references[k][r].findIndex((one) => one === span)] ? "found" : "missed";
  const n = events[r].findIndex(({ onset, offset }) => onset < span.offset && span.onset < offset);
  return n < 0 ? "not given" : right[n] ? "right" : "false";
}

/** @param {Clip} clip */
function entryOf(clip) {
  const { k, r, span, peak } = clip;
  const { figure, play } = figureOf(stretchOf(r, k, span));
  const state = el("strong"), score = el("span", { class: "muted" });
  const redraw = drawn.get(figure);
  const update = () => {
    const words = stateOf(clip);
    state.textContent = words;
    state.className = words === "missed" || words === "false" ? "down" : "up";
    score.textContent = `peak ${short(peak)}, cut ${short(now.chosen[k].threshold)}`;
    redraw?.();
  };
  drawn.set(figure, update);
  update();
  return el("li", { class: "clip", tabindex: "-1" },
    el("div", { class: "clip-text" }, el("div", { class: "entry-label" }, nameOf(labels[k]), " ", state),
      el("div", {}, linkOf(r)), el("div", {}, `${seconds(span.onset)} to ${seconds(span.offset)}`), score,
      play && el("button", { type: "button", class: "small", onclick: play }, "Play the event")),
    figure);
}

/** Clips of the kind and label that are asked for. @param {string} kind */
function shown(kind) {
  const own = /** @type {HTMLInputElement} */ (byId("only-label")).checked;
  return list.clips[kind].filter(({ k }) => !own || k === now.label);
}

export function arrange() {
  const clips = shown(list.kind);
  drawn.clear();
  byId("clips").replaceChildren(...clips.slice(0, list.most).map(entryOf));
  for (const button of byId("clip-kinds").children) {
    const kind = button.getAttribute("data-kind") ?? "all", words = KINDS.find(([one]) => one === kind)?.[1];
    button.setAttribute("aria-pressed", String(kind === list.kind));
    button.textContent = `${words} ${whole(shown(kind).length)}`;
  }
  byId("no-clips").hidden = clips.length > 0;
  byId("more-clips").hidden = clips.length <= list.most;
  byId("more-clips").textContent = `Show ${Math.min(PAGE, clips.length - list.most)} more of ${whole(clips.length - list.most)}`;
}

export function startClips() {
  const notes = content.media?.notes ?? ["no recordings given: media= or --media shows and plays them"];
  byId("clips-note").textContent = [
    "Missed events farthest from their cut, false ones farthest above it, and what a small move of a cut changes.",
    ...notes.map((note) => `${note[0].toUpperCase()}${note.slice(1)}.`)].join(" ");
  byId("clip-kinds").replaceChildren(...KINDS.map(([kind]) => el("button", { type: "button", "data-kind": kind,
    onclick: () => { list.kind = kind; list.most = PAGE; arrange(); } })));
  byId("more-clips").addEventListener("click", () => {
    const first = byId("clips").children.length;
    list.most += PAGE;
    byId("clips").append(...shown(list.kind).slice(first, list.most).map(entryOf));
    byId("more-clips").hidden = shown(list.kind).length <= list.most;
    /** @type {HTMLElement | undefined} */ (byId("clips").children[first])?.focus();
  });
  byId("only-label").addEventListener("change", () => { list.most = PAGE; arrange(); });
  byId("all-labels").addEventListener("change", () => { for (const update of drawn.values()) update(); });
  byId("order").addEventListener("click", () => { order(); arrange(); byId("order").hidden = true; });
  let waiting = 0;
  now.listeners.push((k) => {
    byId("only-name").replaceChildren(nameOf(labels[now.label]));
    byId("order").hidden = changed().length === 0;
    byId("order").textContent = `Order anew by the settings now (${counted(changed().length, "label")} changed)`;
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => { for (const update of drawn.values()) update(); });
    if (shownLabel !== k && /** @type {HTMLInputElement} */ (byId("only-label")).checked) { list.most = PAGE; arrange(); }
    shownLabel = now.label;
  });
  order();
  arrange();
}

/** Whose clips are listed, if only one label's are. */
let shownLabel = 0;
