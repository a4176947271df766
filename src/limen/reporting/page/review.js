// The review: one queue of items and labels to look at or listen to, and to mark.

import { chosen } from "./chosen.js";
import { MINUS, byId, counted, download, el, exact, inputById, nameOf, whole } from "./dom.js";
import { asCsv } from "./csv.js";
import { cutText, say } from "./texts.js";
import { fillTable, toLabel } from "./lists.js";
import { MARKS, keyOf, makeMark, marks, saveMarks, startMarks, tally, undoMark } from "./marks.js";
import { content, cutAt, given, labels, lowest, unpack } from "./model.js";
import { letGo, linkOf, playerOf } from "./players.js";
/** @import { Mark } from "./marks.js" */

const listed = {
  item: unpack(content.review.item),
  label: unpack(content.review.label),
  score: unpack(content.review.score),
  /** 0 where it is not known, 1 for no, 2 for yes. */
  truth: unpack(content.review.truth),
  /** 0 near the cut, 1 surely missed, 2 surely given wrongly. */
  kind: unpack(content.review.kind),
  distance: unpack(content.review.distance),
};
const PAGE = 20;
const TRUTHS = ["not known", "no", "yes"];
const EVERY = [...listed.item.keys()];
const review = {
  kind: "all",
  /** How many of them are drawn. */
  most: PAGE,
  /** Places in the queue that the filters let through. @type {number[]} */
  shown: [],
};

/** @param {number} j */
const nameAt = (j) => content.review.ids[listed.item[j]];
const keys = Array.from(listed.item, (item, j) => keyOf(content.review.ids[item], listed.label[j]));
/** @param {number} j */
const markAt = (j) => marks.made.get(keys[j]);
/** @param {number} j */
const cutOf = (j) => cutAt(listed.label[j], given[listed.label[j]]);

/** @type {[string, string, (j: number) => boolean]} */
const UNKNOWN = ["unknown", "label not known", (j) => listed.truth[j] === 0];
/** Which the list can be narrowed to. @type {[string, string, (j: number) => boolean][]} */
const FILTERS = [
  ["all", "all", () => true],
  ["mistakes", "surest mistakes", (j) => listed.kind[j] > 0],
  ["near", "near the cut", (j) => listed.kind[j] === 0],
  ...(listed.truth.includes(0) ? [UNKNOWN] : []),
  ["open", "not marked", (j) => markAt(j) === undefined],
  ["marked", "marked", (j) => markAt(j) !== undefined],
];

/** @param {number} value */
function finely(value) {
  if (value === -Infinity) return "not listed";
  return Math.abs(value) >= 1e-3 ? String(Number(value.toPrecision(6))).replace("-", MINUS) : cutText(value);
}

/** Why a pair is in the listed. @param {number} j */
function reason(j) {
  const cut = cutOf(j), far = `${listed.distance[j].toPrecision(2)} sd`;
  const side = cut === Infinity ? "the label is never given" : cut <= lowest ? "the label is always given"
    : listed.score[j] === -Infinity ? "the score is below all that are listed"
      : `the score is ${far} ${listed.score[j] >= cut ? "above" : "below"} the cut`;
  if (listed.kind[j] === 1) return `surest mistake, missed: the label says yes, ${side}`;
  if (listed.kind[j] === 2) return `surest mistake, given wrongly: the label says no, ${side}`;
  if (cut === Infinity) return "among the highest scores: the label is never given";
  if (cut <= lowest) return "among the lowest scores: the label is always given";
  return `near the cut: ${far} ${listed.score[j] >= cut ? "above" : "below"}`;
}

/** What a mark does to the label. @param {number} j */
function outcome(j) {
  const mark = markAt(j), truth = listed.truth[j];
  if (mark === undefined) return "";
  if (mark === "unsure") return "the label stays as it is";
  if (truth === 0) return `fills in ${mark}`;
  return (mark === "yes") === (truth === 2) ? "confirms the label" : `changes the label to ${mark}`;
}

/** @param {number} j */
function entryOf(j) {
  const k = listed.label[j], name = nameAt(j), id = `review-${j}`;
  return el("li", { class: "entry", id, tabindex: "-1", "data-place": j, "aria-labelledby": `${id}-label ${id}-name` },
    playerOf(listed.item[j]),
    el("div", { class: "entry-text" },
      el("p", { class: "entry-label", id: `${id}-label` }, toLabel(k)),
      el("p", { id: `${id}-name` }, linkOf(listed.item[j])),
      el("p", {}, "score ", exact(listed.score[j], finely(listed.score[j])), ", cut ", finely(cutOf(j)), ": ",
        listed.score[j] >= cutOf(j) ? "given" : "not given",
        listed.truth[j] === 0 ? "; label not known" : `; label says ${TRUTHS[listed.truth[j]]}`),
      el("p", { class: "muted" }, reason(j))),
    el("div", { class: "entry-marks", role: "group", "aria-label": `Has ${name} the label ${labels[k]}?` },
      ...MARKS.map(([mark, words, key]) => el("button", { type: "button", class: "small", "data-mark": mark,
        "aria-keyshortcuts": key, onclick: () => put(j, mark) }, words)),
      el("span", { class: "outcome muted" })));
}

/** @param {number} j @param {Mark} mark */
function put(j, mark) {
  makeMark(keys[j], mark);
  const { sure, unsure } = tally();
  say(`${nameAt(j)}, ${labels[listed.label[j]]}: ${outcome(j) || "no mark"}. ${sure + unsure} marked.`);
}

/** Show what is marked, in the list as it stands. */
function refreshMarks() {
  for (const entry of byId("review-list").children) {
    const j = Number(entry.getAttribute("data-place")), mark = markAt(j);
    entry.classList.toggle("marked", mark !== undefined);
    for (const button of entry.querySelectorAll("[data-mark]")) {
      button.setAttribute("aria-pressed", String(button.getAttribute("data-mark") === mark));
    }
    /** @type {HTMLElement} */ (entry.querySelector(".outcome")).textContent = outcome(j);
  }
  const { sure, unsure } = tally();
  byId("marks-count").textContent = sure + unsure === 0 ? "no mark"
    : `${counted(sure, "mark")}${unsure ? `, and ${whole(unsure)} unsure` : ""}`;
  /** @type {HTMLButtonElement} */ (byId("undo-mark")).disabled = marks.steps.length === 0;
  /** @type {HTMLButtonElement} */ (byId("save-marks")).disabled = sure === 0;
  byId("marks-next").hidden = sure === 0;
  byId("marks-lost").hidden = marks.last;
  showKinds();
  showReviewOf(chosen.label);
}

/** @param {number} j */
const isOwn = (j) => !inputById("review-own").checked || listed.label[j] === chosen.label;

function showKinds() {
  const places = EVERY.filter(isOwn);
  FILTERS.forEach(([kind, words, has], at) => {
    const button = byId("review-kinds").children[at];
    button.setAttribute("aria-pressed", String(kind === review.kind));
    button.textContent = `${words} ${whole(places.filter(has).length)}`;
  });
}

/** Draw the list anew. */
function arrangeReview() {
  const has = FILTERS.find(([kind]) => kind === review.kind)?.[2] ?? (() => true);
  review.shown = EVERY.filter((j) => isOwn(j) && has(j));
  letGo(byId("review-list"));
  byId("review-list").replaceChildren(...review.shown.slice(0, review.most).map(entryOf));
  showRest();
  refreshMarks();
}

function showRest() {
  const rest = review.shown.length - review.most;
  byId("review-none").hidden = review.shown.length > 0;
  byId("review-more").hidden = rest <= 0;
  byId("review-more").textContent = `Show ${Math.min(PAGE, rest)} more of ${whole(rest)}`;
  byId("review-count").textContent = `${whole(review.shown.length)} of ${whole(listed.item.length)}`;
}

/** Show more of the list; what stands there, and plays, stays. */
function showMore() {
  byId("review-list").append(...review.shown.slice(review.most, review.most + PAGE).map(entryOf));
  review.most += PAGE;
  showRest();
  refreshMarks();
}

/** Go to an entry of the queue, among those of its label. @param {number} j */
function openEntry(j) {
  inputById("review-own").checked = true;
  review.kind = "all";
  const place = EVERY.filter((other) => listed.label[other] === listed.label[j]).indexOf(j);
  review.most = PAGE * Math.ceil((place + 1) / PAGE);
  arrangeReview();
  byId(`review-${j}`).scrollIntoView({ block: "center" });
  byId(`review-${j}`).focus({ preventScroll: true });
}

/** The queue of one label, beside its charts. @param {number} k */
function showReviewOf(k) {
  const own = EVERY.filter((j) => listed.label[j] === k);
  byId("label-nearest").hidden = own.length === 0;
  fillTable(byId("label-nearest-rows"), own.map((j) => {
    const score = listed.score[j], mark = MARKS.find(([one]) => one === markAt(j));
    return [el("button", { type: "button", class: "link", onclick: () => openEntry(j) }, nameOf(nameAt(j))),
      exact(score, finely(score)), score >= cutOf(j) ? "given" : "not given", TRUTHS[listed.truth[j]],
      mark ? mark[1] : ""];
  }));
}

/** Keys that act on the entry in which they are pressed. @param {KeyboardEvent} event */
function keyInReview(event) {
  if (!(event.target instanceof HTMLElement)) return;
  if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "z" && marks.steps.length) {
    event.preventDefault();
    event.stopPropagation();  // thresholds have an undo of their own
    say(undoMark() ? "mark taken back" : "");
    return;
  }
  const entry = event.target.closest(".entry");
  if (!entry || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase(), j = Number(entry.getAttribute("data-place"));
  const mark = MARKS.find(([, , one]) => one === key);
  if (mark) put(j, mark[0]);
  else if (key === "p") togglePlay(entry);
  else if (key !== "j" && key !== "k") return;
  event.preventDefault();
  if (key === "p" || (mark && markAt(j) !== mark[0])) return;
  if (key !== "k" && !entry.nextElementSibling && review.shown.length > review.most) showMore();
  const next = key === "k" ? entry.previousElementSibling : entry.nextElementSibling;
  if (next instanceof HTMLElement) {
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }
}

/** @param {Element} entry */
function togglePlay(entry) {
  const audio = entry.querySelector("audio");
  if (audio?.paused) audio.play().catch(() => {});
  else audio?.pause();
}

/** The queue with what was marked, in its order. */
function queueAsCsv() {
  const rows = review.shown.map((j) => [nameAt(j), labels[listed.label[j]], listed.score[j], cutOf(j),
    Number(listed.score[j] >= cutOf(j)), ["", 0, 1][listed.truth[j]], ["near", "missed", "wrong"][listed.kind[j]],
    markAt(j) ?? ""]);
  return asCsv([["item", "label", "score", "threshold", "given", "has_label", "why", "mark"], ...rows]);
}

function explain() {
  const media = content.media, pictures = Object.keys(media?.pictures ?? {}).length;
  const sounds = (media?.items ?? []).filter((item) => item?.kind === "audio").length;
  const sentences = [
    "In turn the item nearest to its cut and the surest mistake, by the thresholds as given. How far a score is from " +
      `its cut counts in standard deviations (sd) of the label's scores.${content.data.weighted ? " Heavier items come sooner." : ""}`,
    pictures > 0 && pictures < sounds && `Spectrograms are of the first ${counted(pictures, "recording")}.`,
    media?.where && `Sounds and pictures come from ${media.where} when they are played or shown.`,
    ...(media?.notes ?? []).map((note) => `${note[0].toUpperCase()}${note.slice(1)}.`),
  ];
  byId("review-note").textContent = sentences.filter(Boolean).join(" ");
  if (media?.where) {
    byId("offline").textContent = `the file works offline but for sounds and pictures, which it asks ${media.where} for.`;
  }
}

export function startReview() {
  startMarks();
  explain();
  byId("items").classList.toggle("with-media", content.media !== null);
  inputById("review-own").addEventListener("change", () => {
    review.most = PAGE;
    arrangeReview();
  });
  byId("review-more").addEventListener("click", () => {
    const first = byId("review-list").children.length;
    showMore();
    /** @type {HTMLElement | undefined} */ (byId("review-list").children[first])?.focus();
  });
  byId("undo-mark").addEventListener("click", () => undoMark());
  byId("save-marks").addEventListener("click", saveMarks);
  byId("save-items").addEventListener("click", () => download("review.csv", queueAsCsv(), "text/csv"));
  byId("items").addEventListener("keydown", keyInReview);
  byId("review-kinds").replaceChildren(...FILTERS.map(([kind]) => el("button", { type: "button", "data-kind": kind,
    onclick: () => {
      review.kind = kind;
      review.most = PAGE;
      arrangeReview();
    } })));
  marks.listeners.push(refreshMarks);
  chosen.listeners.push((k) => {
    byId("review-own-name").replaceChildren(nameOf(labels[k]));
    if (inputById("review-own").checked) {
      review.most = PAGE;
      arrangeReview();
    } else showReviewOf(k);
  });
  arrangeReview();
}
