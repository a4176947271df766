// The table of labels: sorted, searched, filtered, and only the rows in view are drawn.

import { countsAt, f1, metric, metricIsF1, precision, ratio, recall, spec, valueAt } from "./averages.js";
import { attention, placesByNeed } from "./attention.js";
import { choose, chosen } from "./chosen.js";
import { THIN, byId, counted, el, exact, inputById, whole } from "./dom.js";
import { edits } from "./edits.js";
import { percent, signed } from "./metric.js";
import { cutText, facing, metricText } from "./texts.js";
import { kept, limits } from "./limits.js";
import { badgeOf } from "./limittexts.js";
import { atHalf, cutAt, given, known, labels, nLabels, positives, ranges } from "./model.js";
import { partedName } from "./names.js";
import { STATES, againstHalf, ruleOf, states, wordsOf } from "./states.js";
/** @import { Metric } from "./averages.js" */

/** @typedef {{key: string, title: string, value: (k: number) => number | string, cell: (k: number) => Node[],
 *   explain?: string, short?: string, first?: 1 | -1}} Column */

/** @param {number} k @param {Metric} of */
const shareCell = (k, of) => {
  const value = valueAt(of, k, edits.at[k]);
  return [exact(value, of === metric ? metricText(value) : percent(value))];
};

/** @param {number} k */
export const changeOf = (k) => valueAt(metric, k, edits.at[k]) - valueAt(metric, k, atHalf[k]);

/** @param {number} k */
export const tagsOf = (k) => ratio(1000 * countsAt(k, edits.at[k]).pp, known[k], 0);

/** @param {number} k */
function rangeText(k) {
  if (!ranges || edits.at[k] !== given[k]) return "";
  return [ranges[k], ranges[nLabels + k]].map((cut) => cutText(Number.isFinite(cut) ? Number(cut.toPrecision(3)) : cut)).join(" to ");
}

/** A label's state, beside its name; that there is none needs no word. @param {number} k */
function badges(k) {
  const key = states.of[k];
  return el("span", { class: "badges" }, badgeOf(k), key === "none" ? null
    : el("span", { class: `badge badge-${key}`, title: ruleOf(key) }, wordsOf(key)));
}

/** How a change against 0.5 is coloured: only where its 95 % interval excludes 0. @param {number} k */
function clearWay(k) {
  const { low, high } = againstHalf(k, edits.at[k]);
  return low > 0 ? "up" : high < 0 && states.of[k] === "worse" ? "down" : "";
}

/** @type {Column[]} */
export const COLUMNS = [
  { key: "label", title: "label", value: (k) => labels[k], first: 1, cell: (k) => [
    el("button", { type: "button", class: "name", "aria-label": labels[k], tabindex: k === table.roving ? "0" : "-1" },
      partedName(k)),
    badges(k)] },
  { key: "threshold", title: "threshold", value: (k) => cutAt(k, edits.at[k]),
    explain: "and where other data like those tuned on would put it (95 %)", cell: (k) => {
      const cut = cutAt(k, edits.at[k]);
      return [exact(cut, cutText(cut)), el("small", {}, rangeText(k) || (edits.at[k] === given[k] ? "" : "edited"))];
    } },
  { key: "support", title: "support", explain: "positive items", value: (k) => positives[k],
    cell: (k) => [exact(positives[k], whole(positives[k]))] },
  { key: "precision", title: "precision", short: "prec.", value: (k) => valueAt(precision, k, edits.at[k]),
    cell: (k) => shareCell(k, precision) },
  { key: "recall", title: "recall", value: (k) => valueAt(recall, k, edits.at[k]), cell: (k) => shareCell(k, recall) },
  { key: "f1", title: "F1", value: (k) => valueAt(f1, k, edits.at[k]), cell: (k) => shareCell(k, f1) },
  ...(metricIsF1 ? [] : [/** @type {Column} */ ({ key: "metric", title: spec.title,
    value: (k) => facing(valueAt(metric, k, edits.at[k])), cell: (k) => shareCell(k, metric) })]),
  { key: "change", title: "against 0.5", short: "vs 0.5", explain: `change of ${spec.title} against that at 0.5`,
    value: (k) => facing(changeOf(k)), cell: (k) => {
      const change = changeOf(k);
      return [el("span", { class: clearWay(k) }, exact(change, signed(change, metricText)))];
    } },
  { key: "tags", title: `per 1${THIN}000`, short: "per 1k", explain: `tags per 1${THIN}000 items`, value: tagsOf,
    cell: (k) => [exact(tagsOf(k), whole(Number(tagsOf(k).toFixed(1))))] },
];

export const table = {
  /** Labels shown, in order. @type {number[]} */
  order: [],
  /** Key of a column, or "need". */
  sort: { key: "need", way: 1 },
  kind: "all",
  /** Rows that are drawn, by label. @type {Map<number, HTMLElement>} */
  rows: new Map(),
  /** The label whose name takes the focus. */
  roving: -1,
  /** Whether it is drawn for paper: the first rows, all of them. */
  whole: false,
  /** Whether it is sorted anew because of an edit. */
  following: false,
  /** Called when other labels are shown, or in another order. @type {(() => void)[]} */
  listeners: [],
};

/** What can be shown: all, the labels of a state, those changed. @type {[string, string][]} */
export const KINDS = [["all", "all"], ...STATES.map(({ key, words }) => /** @type {[string, string]} */ ([key, words])),
  ...(limits.length ? [/** @type {[string, string]} */ (["breaks", "breaks a constraint"])] : []), ["changed", "changed"]];

/** Rows on paper, and the number of labels up to which the charts go under the table. */
const PRINTED = 30, FEW_ROWS = 10;
const narrow = matchMedia("(max-width: 640px)"), beside = matchMedia("(min-width: 1100px)");

/** Height of a row in pixels: it grows with the letters, and where all rows fit they share the room. */
function rowHeight() {
  const letters = parseFloat(getComputedStyle(document.documentElement).fontSize);
  if (narrow.matches) return letters * (metricIsF1 ? 5.5 : 8);
  const least = 2.75 * letters;
  if (!beside.matches || nLabels <= FEW_ROWS) return least;
  const room = (byId("table").clientHeight - byId("table-head").offsetHeight) / nLabels;
  return Math.min(Math.max(Math.floor(room), least), 4.75 * letters);
}

/** @param {number} k @param {string} kind */
function isKind(k, kind) {
  if (kind === "all") return true;
  if (kind === "changed") return cutAt(k, edits.at[k]) !== cutAt(k, given[k]);
  if (kind === "breaks") return kept.breaks[k] > 0;
  return states.of[k] === kind;
}

/** Show the labels that are asked for, in the order that is asked for. */
export function arrange() {
  const wanted = inputById("search").value.trim().toLowerCase();
  /** @param {string} id @param {number} none */
  const bound = (id, none) => (inputById(id).value === "" ? none : Number(inputById(id).value));
  const least = bound("support-from", -Infinity), most = bound("support-to", Infinity);
  const column = COLUMNS.find(({ key }) => key === table.sort.key);
  const values = column ? labels.map((_, k) => column.value(k)) : [...placesByNeed()];
  const compareText = new Intl.Collator("en", { numeric: true }).compare;
  table.order = labels.map((_, k) => k).filter((k) => positives[k] >= least && positives[k] <= most
    && (wanted === "" || labels[k].toLowerCase().includes(wanted)) && isKind(k, table.kind));
  table.order.sort((a, b) => {
    const [x, y] = [values[a], values[b]];
    // Two thresholds of Infinity have no difference, so numbers are compared and not subtracted.
    const order = typeof x === "string" || typeof y === "string" ? compareText(String(x), String(y))
      : Number(x > y) - Number(x < y);
    return order * table.sort.way || a - b;
  });
  for (const header of byId("table-head").children) {
    const key = header.getAttribute("data-key");
    header.setAttribute("aria-sort",
      key !== table.sort.key ? "none" : table.sort.way > 0 ? "ascending" : "descending");
  }
  /** @type {HTMLSelectElement} */ (byId("sort-by")).value = `${table.sort.key} ${table.sort.way}`;
  for (const button of byId("kinds").children) {
    button.setAttribute("aria-pressed", String(button.getAttribute("data-kind") === table.kind));
  }
  byId("table-count").textContent = `${whole(table.order.length)} of ${counted(nLabels, "label")}`;
  byId("save-table").textContent = `Table as CSV (${whole(table.order.length)})`;
  byId("table").setAttribute("aria-rowcount", String(Math.max(table.order.length, 1) + 1));
  byId("table-empty").hidden = table.order.length > 0;
  byId("table-printed").textContent = table.order.length <= PRINTED ? ""
    : `The first ${PRINTED} of ${whole(table.order.length)} labels; the page has them all.`;
  if (!table.order.includes(table.roving)) table.roving = table.order[0] ?? 0;
  for (const row of table.rows.values()) row.remove();
  table.rows.clear();
  drawRows();
  for (const listener of table.listeners) listener();
}

/** Draw the rows in view, and a few around them. */
export function drawRows() {
  const scroller = byId("table"), body = byId("table-body"), height = rowHeight();
  body.style.height = `${table.order.length * height}px`;
  body.style.setProperty("--row", `${height}px`);
  const from = table.whole ? 0 : Math.max(0, Math.floor(scroller.scrollTop / height) - 6);
  const to = table.whole ? Math.min(PRINTED, table.order.length)
    : Math.min(table.order.length, Math.ceil((scroller.scrollTop + scroller.clientHeight) / height) + 6);
  const wanted = new Set(table.order.slice(from, to));
  for (const [k, row] of table.rows) {
    if (!wanted.has(k) && !row.contains(document.activeElement)) {
      row.remove();
      table.rows.delete(k);
    }
  }
  for (let place = from; place < to; place++) {
    const k = table.order[place];
    let row = table.rows.get(k);
    if (!row) {
      row = el("div", { role: "row", class: "row", "data-label": k });
      fillRow(row, k);
      table.rows.set(k, row);
      // Rows stand in reading order, whatever the order in which they came into view.
      const next = table.order.slice(place + 1, to).map((other) => table.rows.get(other)).find(Boolean);
      body.insertBefore(row, next ?? null);
    }
    row.setAttribute("aria-rowindex", String(place + 2));
    row.style.transform = `translateY(${place * height}px)`;
  }
}

/** @param {HTMLElement} row @param {number} k */
function fillRow(row, k) {
  const focused = row.contains(document.activeElement);
  row.replaceChildren(...COLUMNS.map(({ key, title, short, cell }) => el("div",
    { role: key === "label" ? "rowheader" : "cell", class: `cell cell-${key}`, "data-title": short ?? title }, ...cell(k))));
  row.classList.toggle("shown", k === chosen.label);
  row.classList.toggle("edited", edits.at[k] !== given[k]);
  if (focused) /** @type {HTMLElement} */ (row.querySelector(".name")).focus({ preventScroll: true });
}

/** Fill only what follows the cut, without making the row's button anew. @param {HTMLElement} row @param {number} k */
function refreshRow(row, k) {
  COLUMNS.forEach(({ key, cell }, column) => {
    const made = cell(k);
    if (key !== "label") row.children[column].replaceChildren(...made);
    else row.children[column].lastElementChild?.replaceWith(made[1]);
  });
  row.classList.toggle("edited", edits.at[k] !== given[k]);
}

/** Mark the row of the label shown; its name takes the focus. @param {number} k */
function markShownRow(k) {
  table.rows.get(table.roving)?.querySelector(".name")?.setAttribute("tabindex", "-1");
  table.roving = k;
  table.rows.get(k)?.querySelector(".name")?.setAttribute("tabindex", "0");
  for (const [label, row] of table.rows) {
    row.classList.toggle("shown", label === k);
    row.querySelector(".name")?.setAttribute("aria-current", String(label === k));
  }
}

/** @param {string} kind */
export function filterBy(kind) {
  table.kind = kind;
  inputById("search").value = "";
  inputById("support-from").value = "";
  inputById("support-to").value = "";
  byId("table").scrollTop = 0;
  arrange();
}

/** Bring a row into view and focus its name. @param {number} place */
function focusRow(place) {
  const at = Math.min(Math.max(place, 0), table.order.length - 1);
  const k = table.order[at], scroller = byId("table"), height = rowHeight();
  if (k === undefined) return;
  const head = byId("table-head").offsetHeight;
  const top = at * height, bottom = top + height + head;
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (bottom > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = bottom - scroller.clientHeight;
  const last = table.rows.get(table.roving)?.querySelector(".name");
  last?.setAttribute("tabindex", "-1");
  table.roving = k;
  drawRows();
  const name = /** @type {HTMLElement | undefined} */ (table.rows.get(k)?.querySelector(".name"));
  name?.setAttribute("tabindex", "0");
  name?.focus({ preventScroll: true });
}

/** @param {KeyboardEvent} event */
function keyInTable(event) {
  if (!(event.target instanceof Element) || !event.target.classList.contains("name")) return;
  const page = Math.max(1, Math.floor(byId("table").clientHeight / rowHeight()) - 2);
  /** @type {Record<string, number>} */
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -nLabels, End: nLabels };
  if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  focusRow(table.order.indexOf(table.roving) + steps[event.key]);
}

export function startTable() {
  byId("pair").classList.toggle("few", nLabels <= FEW_ROWS);
  byId("pair").classList.toggle("single", nLabels === 1);
  byId("table").classList.toggle("with-metric", !metricIsF1);
  byId("table-head").replaceChildren(...COLUMNS.map(({ key, title, explain }) => el("div",
    { role: "columnheader", class: `cell cell-${key}`, "data-key": key },
    el("button", { type: "button", title: explain ?? null, onclick: () => sortBy(key) }, title))));
  byId("sort-by").append(el("option", { value: "need 1" }, "needs attention"), ...COLUMNS.flatMap(({ key, title }) => [1, -1].map((way) =>
    el("option", { value: `${key} ${way}` }, `${title}, ${way > 0 ? "rising" : "falling"}`))));
  byId("sort-by").addEventListener("change", (event) => {
    const [key, way] = /** @type {HTMLSelectElement} */ (event.target).value.split(" ");
    table.sort = { key, way: Number(way) };
    arrange();
  });
  byId("kinds").replaceChildren(...KINDS.map(([kind, name]) => el("button",
    { type: "button", "data-kind": kind, title: ruleOf(kind) || null, "aria-pressed": "false", onclick: () => {
      table.kind = kind;
      byId("table").scrollTop = 0;
      arrange();
    } }, name)));
  for (const id of ["search", "support-from", "support-to"]) {
    byId(id).addEventListener("input", () => {
      byId("table").scrollTop = 0;
      arrange();
    });
  }
  byId("clear").addEventListener("click", () => {
    filterBy("all");
    byId("search").focus();
  });
  byId("table").addEventListener("scroll", drawRows, { passive: true });
  byId("table").addEventListener("keydown", keyInTable);
  byId("table-body").addEventListener("click", (event) => {
    const row = event.target instanceof Element ? event.target.closest(".row") : null;
    if (row) choose(Number(row.getAttribute("data-label")));
  });
  narrow.addEventListener("change", drawRows);
  new ResizeObserver(drawRows).observe(byId("table"));
  chosen.listeners.push(markShownRow);
  edits.listeners.push(({ labels: moved, done }) => {
    if (done && table.kind === "changed" && moved.some((k) => isKind(k, "changed") !== table.order.includes(k))) arrange();
    for (const k of moved) {
      const row = table.rows.get(k);
      if (row) refreshRow(row, k);
    }
  });
  attention.listeners.push(() => {
    if (table.sort.key !== "need" && table.kind !== "breaks" && !STATES.some(({ key }) => key === table.kind)) return;
    table.following = true;
    arrange();
    table.following = false;
  });
  states.listeners.push(() => { for (const [k, row] of table.rows) refreshRow(row, k); });
  arrange();
}

/** @param {string} key */
function sortBy(key) {
  const same = table.sort.key === key;
  const first = COLUMNS.find((column) => column.key === key)?.first ?? -1;
  table.sort = { key, way: same ? -table.sort.way : first };
  arrange();
}
