// The clips that matter most: surely missed, surely false, nearest to a cut.

import { now } from "./counting.js";
import { filtered, framesOf } from "./deciding.js";
import { drawAgain, figureOf, forgetDrawn, linkOf, stretchOf } from "./drawing.js";
import { byId, el, inputById, nameOf, whole } from "../../page/dom.js";
import { content, ends, labels, nLabels, nRecordings, placeOf, recordings, references, starts, timeOf } from "./model.js";
import { clock, short } from "./parts.js";
/** @import { Outcome } from "./counting.js" */
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
  /** What the order is of. @type {Outcome[]} */
  of: [],
  /** What tells of each clip shown what became of it. @type {(() => void)[]} */
  words: [],
};

/** The peak of a label's filtered score in a span. @param {number} k @param {number} r @param {Span} span */
function peakIn(k, r, span) {
  const scores = filtered(k, framesOf(now.at[k].median));
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
    const cut = placeOf(now.at[k].threshold);
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
  list.of = now.outcomes.slice();
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
  const { figure, play, turn } = figureOf(stretchOf(r, k, span));
  const state = el("strong"), score = el("span", { class: "muted" });
  const update = () => {
    const words = stateOf(clip);
    state.textContent = words;
    state.className = words === "missed" || words === "false" ? "down" : "up";
    score.textContent = `peak ${short(peak)}, cut ${short(now.at[k].threshold)}`;
  };
  list.words.push(update);
  update();
  return el("li", { class: "clip", tabindex: "-1" },
    el("div", { class: "clip-text" }, el("div", { class: "entry-label" }, nameOf(labels[k]), " ", state),
      el("div", {}, linkOf(r)), el("div", {}, `${clock(span.onset)} to ${clock(span.offset)}`), score,
      el("div", { class: "clip-buttons" }, play && el("button", { type: "button", class: "small", onclick: play }, "Play the event"),
        ...(ends[r] > content.stretch_us ? [-1, 1].map((by) => el("button", { type: "button", class: "small",
          "aria-label": `${by < 0 ? "earlier" : "later"} in ${recordings[r]}`, onclick: () => turn(by) }, by < 0 ? "\u2039 earlier" : "later \u203a")) : []))),
    figure);
}

/** Clips of the kind and label that are asked for. @param {string} kind */
function shown(kind) {
  const own = inputById("only-label").checked;
  return list.clips[kind].filter(({ k }) => !own || k === now.label);
}

export function arrange() {
  const clips = shown(list.kind);
  forgetDrawn();
  list.words = [];
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

/** Whether the order is of settings that are no more. */
function showOrder() {
  const away = now.outcomes.some((one, k) => one !== list.of[k]);
  byId("order").hidden = !away;
  byId("order").textContent = "Order anew by the settings now";
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
  byId("all-labels").addEventListener("change", () => drawAgain(() => true));
  byId("order").addEventListener("click", () => { order(); arrange(); showOrder(); byId("review-title").focus(); });
  let waiting = 0;
  /** @type {Set<number>} */
  const moved = new Set();
  now.listeners.push(({ labels: some }) => {
    for (const k of some) moved.add(k);
    showOrder();
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => {
      const all = inputById("all-labels").checked;
      for (const tell of list.words) tell();
      drawAgain((k) => all || moved.has(k));
      moved.clear();
    });
  });
  now.watchers.push(() => {
    byId("only-name").replaceChildren(nameOf(labels[now.label]));
    if (inputById("only-label").checked) { list.most = PAGE; arrange(); }
  });
  byId("only-name").replaceChildren(nameOf(labels[now.label]));
  order();
  arrange();
}
