// What lasts: the label, filters, order and bar in the address; edits there while they are few, and in the browser's stores.

import { chosen, show } from "./chosen.js";
import { byId, counted, el, inputById } from "./dom.js";
import { changedLabels, commit, edits, moveAll, nearestPosition, reset } from "./edits.js";
import { content, cutAt, given, labels, nLabels } from "./model.js";
import { setBar, states } from "./states.js";
import { COLUMNS, KINDS, arrange, table } from "./table.js";

/** So many edits stand in the address. */
const FEW_EDITS = 20;
const KEY = `limen ${content.draft}`;
const VIEW = `${KEY} view`;
const DEFAULT = { kind: "all", sort: "need 1" };

/** @typedef {[number, number | null][]} Edits  Number of the label and its cut; null is never. */
/** @typedef {{when: string, bar: number, edits: Edits}} Draft */

/** The edits now. @returns {Edits} */
const editsNow = () => changedLabels().map((k) => {
  const cut = cutAt(k, edits.at[k]);
  return [k, cut === Infinity ? null : cut];
});

/** Stores that may refuse: of this tab first, then of the browser. @returns {Storage[]} */
function stores() {
  const found = [];
  for (const name of /** @type {const} */ (["sessionStorage", "localStorage"])) {
    try { found.push(window[name]); } catch { /* The browser lets this page keep nothing there. */ }
  }
  return found;
}

/** @param {unknown} draft @returns {draft is Draft} */
function isDraft(draft) {
  if (typeof draft !== "object" || draft === null) return false;
  const { when, bar, edits: kept } = /** @type {Record<string, unknown>} */ (draft);
  return typeof when === "string" && typeof bar === "number" && Array.isArray(kept)
    && kept.every((one) => Array.isArray(one) && isEdit(one[0], one[1]));
}

/** @param {unknown} k @param {unknown} cut */
const isEdit = (k, cut) => Number.isInteger(k) && Number(k) >= 0 && Number(k) < nLabels
  && (cut === null || (typeof cut === "number" && Number.isFinite(cut)));

/** The draft of this tab, or else of this browser. @returns {Draft | null} */
function storedDraft() {
  for (const store of stores()) {
    try {
      const draft = JSON.parse(store.getItem(KEY) ?? "null");
      if (isDraft(draft)) return draft;
    } catch { /* Nothing that can be read. */ }
  }
  return null;
}

export const address = {
  /** Whether the edits would come back after a reload. */
  kept: true,
  timer: 0,
  quiet: false,
};

/** Keep the edits in the stores. */
function keepEdits() {
  const now = editsNow(), draft = JSON.stringify({ when: new Date().toISOString(), bar: states.bar, edits: now });
  let kept = now.length <= FEW_EDITS;
  for (const store of stores()) {
    try {
      if (now.length) store.setItem(KEY, draft);
      else store.removeItem(KEY);
      kept = true;
    } catch { /* Full, or forbidden. */ }
  }
  address.kept = kept;
}

/** The state as the address has it. */
function asHash() {
  const found = new URLSearchParams({ label: labels[chosen.label] });
  if (table.kind !== DEFAULT.kind) found.set("show", table.kind);
  const sort = `${table.sort.key} ${table.sort.way}`;
  if (sort !== DEFAULT.sort) found.set("sort", sort);
  for (const [key, id] of INPUTS) if (inputById(id).value !== "") found.set(key, inputById(id).value);
  if (states.bar !== content.states.bar) found.set("weak", String(states.bar));
  const now = editsNow();
  if (now.length && now.length <= FEW_EDITS) {
    found.set("edits", now.map(([k, cut]) => `${k}:${cut ?? "never"}`).join(","));
    found.set("of", content.draft);
  }
  return `#${found}`;
}

/** @type {[string, string][]} */
const INPUTS = [["search", "search"], ["from", "support-from"], ["to", "support-to"]];

/** The address that this tab is to have, kept for a reload that comes before it is written. @param {string} [hash] */
function lastHash(hash) {
  try {
    if (hash !== undefined) sessionStorage.setItem(VIEW, hash);
    const [opened] = performance.getEntriesByType("navigation");
    return opened instanceof PerformanceNavigationTiming && opened.type === "reload" ? sessionStorage.getItem(VIEW) : null;
  } catch { return null; }
}

/** Write the address, once the hand rests: browsers let a page do so only so often. */
function writeAddress() {
  lastHash(asHash());
  clearTimeout(address.timer);
  address.timer = setTimeout(() => {
    try { history.replaceState(null, "", asHash()); } catch { /* Too often: the next change writes it. */ }
  }, 150);
}

/** The edits that an address has, if they are of these thresholds. @param {URLSearchParams} found @returns {Edits} */
function editsIn(found) {
  if (found.get("of") !== content.draft) return [];
  return (found.get("edits") ?? "").split(",").map((one) => {
    const [k, cut] = one.split(":");
    return /** @type {[number, number | null]} */ ([k === "" ? -1 : Number(k), cut === "never" ? null : cut ? Number(cut) : NaN]);
  }).filter(([k, cut]) => isEdit(k, cut));
}

/** Make edits, as one step that can be undone. @param {Edits} wanted */
function makeEdits(wanted) {
  const next = Int32Array.from(given);
  for (const [k, cut] of wanted) next[k] = cut === null ? 0 : nearestPosition(k, cut);
  moveAll(next);
  commit();
}

/** @param {Edits} one @param {Edits} other */
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** Say which edits were found, and let them go, or give those of the browser instead. @param {string} from
 * @param {Draft | null} [other] */
function sayRestored(from, other = null) {
  const number = edits.changed.size, place = byId("restored");
  if (number === 0) return;
  place.replaceChildren(`${counted(number, "change")} ${from} restored. `,
    el("button", { type: "button", class: "small", id: "discard", onclick: () => {
      reset();
      place.replaceChildren();
    } }, "Discard"),
    ...(other ? [el("button", { type: "button", class: "small", id: "use-draft", onclick: () => {
      makeEdits(other.edits);
      sayRestored(whenText(other));
    } }, `Use those ${whenText(other)}`)] : []));
}

/** @param {Draft} draft */
const whenText = (draft) => `from ${draft.when.slice(0, 16).replace("T", " ")} UTC`;

/** Show what an address says. @param {URLSearchParams} found */
function applyView(found) {
  for (const [key, id] of INPUTS) {
    const text = found.get(key) ?? "";
    inputById(id).value = key === "search" || /^\d+(\.\d+)?$/.test(text) ? text : "";
  }
  const kind = found.get("show") ?? DEFAULT.kind, [key, way] = (found.get("sort") ?? DEFAULT.sort).split(" ");
  table.kind = KINDS.some(([known]) => known === kind) ? kind : DEFAULT.kind;
  if (["need", ...COLUMNS.map((column) => column.key)].includes(key)) {
    table.sort = { key, way: key === "need" || way === "1" ? 1 : -1 };
  }
  const bar = Number(found.get("weak") ?? NaN);
  if (bar >= 0 && bar <= 1) setBar(bar);
  arrange();
  const k = labels.indexOf(found.get("label") ?? "");
  show(k >= 0 ? k : table.order[0] ?? 0);
}

/** Whether an address has a state, and not the name of a place in the page. @param {string} hash */
const isState = (hash) => hash.includes("=");

function openAddress() {
  const hash = lastHash() ?? location.hash, found = new URLSearchParams(isState(hash) ? hash.slice(1) : "");
  const linked = editsIn(found), draft = storedDraft();
  if (draft && !found.has("weak")) found.set("weak", String(draft.bar));
  applyView(found);
  if (linked.length) makeEdits(linked);
  else if (draft) makeEdits(draft.edits);
  if (linked.length && !(draft && same(draft.edits, editsNow()))) sayRestored("of the address", draft);
  else if (draft) sayRestored(whenText(draft));
}

/** Go to a place in the page, and leave the address as it is. @param {string} id */
export function goTo(id) {
  const place = byId(id), head = place.matches("[tabindex]") ? place : place.querySelector("h2") ?? place;
  place.scrollIntoView();
  if (!head.hasAttribute("tabindex")) head.setAttribute("tabindex", "-1");
  /** @type {HTMLElement} */ (head).focus({ preventScroll: true });
}

export function startAddress() {
  const place = location.hash.slice(1);
  openAddress();
  if (place && !isState(place) && document.getElementById(place)) goTo(place);
  addEventListener("hashchange", () => {
    if (!isState(location.hash)) return;
    const found = new URLSearchParams(location.hash.slice(1)), linked = editsIn(found);
    if (linked.length && !same(linked, editsNow())) makeEdits(linked);
    applyView(found);
  });
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest('a[href^="#"]') : null;
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    goTo(String(link.getAttribute("href")).slice(1));
  });
  edits.listeners.push(({ labels: moved, done }) => {
    if (!done || !moved.length) return;
    keepEdits();
    writeAddress();
  });
  chosen.listeners.push(writeAddress);
  states.listeners.push(() => { if (edits.changed.size) keepEdits(); writeAddress(); });
  table.listeners.push(writeAddress);
  addEventListener("pagehide", () => {
    try { history.replaceState(null, "", asHash()); } catch { /* It was written when the hand rested. */ }
  });
  addEventListener("beforeunload", (event) => { if (!address.kept) event.preventDefault(); });
  writeAddress();
}
