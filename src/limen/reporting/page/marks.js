// Marks: what somebody who looked or listened says of an item and a label. They last in this browser.

import { download } from "./dom.js";
import { asCsv } from "./csv.js";
import { content, labels } from "./model.js";

/** @typedef {"yes" | "no" | "unsure"} Mark  Whether the item has the label; of no decision is anything said. */

/** @type {[Mark, string, string][]} */
export const MARKS = [["yes", "has it", "y"], ["no", "has it not", "n"], ["unsure", "unsure", "u"]];

/** Marks belong to the data: where the digest is another, they are others. */
const PLACE = `limen marks ${content.file.edited.data_digest}`;

/** Those that the browser holds, by item and label. @returns {Map<string, Mark> | null} */
function stored() {
  try {
    const found = JSON.parse(localStorage.getItem(PLACE) ?? "[]");
    return new Map(found.filter((/** @type {[string, Mark]} */ [, mark]) => MARKS.some(([one]) => one === mark)));
  } catch {
    return null;
  }
}

/** @param {Map<string, Mark>} made */
function store(made) {
  try {
    localStorage.setItem(PLACE, JSON.stringify([...made]));
    return true;
  } catch {
    return false;
  }
}

/** @type {Map<string, Mark>} */
const empty = new Map();

export const marks = {
  /** By item and label. */
  made: stored() ?? empty,
  /** What to go back to, the last at the end. @type {{key: string, before: Mark | undefined}[]} */
  steps: [],
  /** Whether they last when the page closes. */
  last: stored() !== null,
  /** Whether they are in a file. */
  saved: true,
  /** @type {(() => void)[]} */
  listeners: [],
};

/** @param {string} item @param {number} k */
export const keyOf = (item, k) => JSON.stringify([item, labels[k]]);

/** @param {string} key @param {Mark | undefined} mark */
function set(key, mark) {
  // Another window may show the same data.
  const made = (marks.last && stored()) || marks.made;
  if (mark === undefined) made.delete(key);
  else made.set(key, mark);
  marks.made = made;
  marks.last = store(made);
  marks.saved = false;
  for (const listener of marks.listeners) listener();
}

/** Mark an item and label, or take the same mark away again. @param {string} key @param {Mark} mark */
export function makeMark(key, mark) {
  const before = marks.made.get(key);
  marks.steps.push({ key, before });
  set(key, before === mark ? undefined : mark);
}

/** Take the last mark of this visit back; return whose it was. */
export function undoMark() {
  const step = marks.steps.pop();
  if (step) set(step.key, step.before);
  return step?.key;
}

/** How many say yes or no, and how many say neither. */
export function tally() {
  const unsure = [...marks.made.values()].filter((mark) => mark === "unsure").length;
  return { sure: marks.made.size - unsure, unsure };
}

/** A name as no spreadsheet runs it, and as limen reads it back. @param {string} name */
function spelled(name) {
  const bare = name.replace(/^'+/, "");
  return /^[=@+-]/.test(bare) && !/^[+-][\w .-]*$/.test(name) ? `'${name}` : name;
}

/**
 * The marks as a wide file of labels: a row for each item, a column for each label that has a mark, 1 for has it,
 * 0 for has it not, and nothing where there is no mark or an unsure one.
 */
function marksAsCsv() {
  /** @type {Map<string, Map<string, number>>} */
  const rows = new Map();
  for (const [key, mark] of marks.made) {
    const [item, label] = JSON.parse(key);
    if (mark === "unsure" || !labels.includes(label)) continue;
    rows.set(item, (rows.get(item) ?? new Map()).set(label, Number(mark === "yes")));
  }
  const columns = labels.filter((label) => [...rows.values()].some((row) => row.has(label)));
  return asCsv([["id", ...columns.map(spelled)],
    ...[...rows].map(([item, row]) => [spelled(item), ...columns.map((label) => row.get(label) ?? "")])]);
}

export function saveMarks() {
  download("marks.csv", marksAsCsv(), "text/csv");
  marks.saved = true;
}

export function startMarks() {
  addEventListener("storage", (event) => {
    if (event.key !== PLACE) return;
    marks.made = stored() ?? marks.made;
    for (const listener of marks.listeners) listener();
  });
  addEventListener("beforeunload", (event) => {
    if (!marks.last && !marks.saved && marks.made.size) event.preventDefault();
  });
}
