// All labels side by side, the sums over them, and the file that is saved.

import { before, changed, isGiven, now, ratios, reset, show, totals } from "./counting.js";
import { framesOf, lowOf } from "./deciding.js";
import { content, given, labels } from "./model.js";
import { byId, counted, download, el, nameOf, whole } from "../../page/dom.js";
import { inPercent, percent, short } from "./parts.js";

function showTable() {
  const rows = labels.map((name, k) => {
    const one = now.chosen[k], { tp, pp, p } = now.outcomes[k], { precision, recall, f1 } = ratios(now.outcomes[k]);
    const n = framesOf(one.median);
    const cells = [short(one.threshold), n <= 1 ? "–" : `${short(one.median)} s`, one.hysteresis ? short(one.hysteresis) : "–",
      one.gap ? `${short(one.gap)} s` : "–", one.shortest ? `${short(one.shortest)} s` : "–", whole(p), whole(p - tp), whole(pp - tp),
      inPercent(precision), inPercent(recall), inPercent(f1)];
    return el("tr", { class: k === now.label ? "row-shown" : null },
      el("th", { scope: "row" }, el("button", { type: "button", class: "link", "aria-current": k === now.label ? "true" : null,
        onclick: () => { show(k); if (!matchMedia("(min-width: 1100px)").matches) byId("label").scrollIntoView(); } },
      nameOf(name)), isGiven(k) ? null : el("small", {}, " changed")),
      ...cells.map((cell) => el("td", { class: "number" }, cell)));
  });
  byId("label-rows").replaceChildren(...rows);
}

function showBar() {
  const here = totals(now.outcomes), start = totals(before), many = changed().length;
  for (const name of /** @type {("f1" | "precision" | "recall" | "macro")[]} */ (["f1", "precision", "recall", "macro"])) {
    const step = 100 * (here[name] - start[name]);
    byId(`now-${name}`).replaceChildren(percent(here[name]), Math.abs(step) < 0.05 || Number.isNaN(step) ? ""
      : el("small", { class: step > 0 ? "up" : "down" }, ` ${step > 0 ? "+" : "\u2212"}${Math.abs(step).toFixed(1)}`));
  }
  byId("changed-count").textContent = many ? `${counted(many, "label")} changed` : "no change";
  /** @type {HTMLButtonElement} */ (byId("reset")).disabled = many === 0;
}

/** The value of the objective at these counts, as limen has it. */
function valueNow() {
  const { average, zero_division: zero } = content.objective;
  /** @param {number} tp @param {number} pp @param {number} p */
  const f1 = (tp, pp, p) => (pp + p === 0 ? zero : 2 * tp / (pp + p));
  /** @param {"tp" | "pp" | "p"} key */
  const sum = (key) => now.outcomes.reduce((total, one) => total + one[key], 0);
  if (average === "micro") return f1(sum("tp"), sum("pp"), sum("p"));
  const weights = now.outcomes.map(({ p }) => (average === "weighted" ? p : 1));
  const all = weights.reduce((total, weight) => total + weight, 0);
  return now.outcomes.reduce((total, { tp, pp, p }, k) => total + weights[k] * f1(tp, pp, p), 0) / all;
}

/** @param {number} threshold */
const inFile = (threshold) => (threshold === Infinity ? null : threshold);

/** The file with the settings as they are now, marked as edited by hand, with counts of these recordings. */
function editedFile() {
  const { original, edited } = content.file, method = String(original.method), mark = ", edited by hand";
  return {
    ...edited,
    method: method.endsWith(mark) ? method : method + mark,
    value: valueNow(),
    created: `${new Date().toISOString().slice(0, 19)}+00:00`,
    details: { ...edited.details, edited: {
      labels: changed().map((k) => ({ label: labels[k], from: { ...given[k], threshold: inFile(given[k].threshold) },
        to: { ...now.chosen[k], threshold: inFile(now.chosen[k].threshold) } })),
      report: content.title,
      before: { method, status: original.status, value: original.value, created: original.created,
        data_digest: original.data_digest, constraints: original.constraints },
    } },
    labels: edited.labels.map((/** @type {Record<string, any>} */ label, /** @type {number} */ k) => {
      const { threshold, ...setting } = now.chosen[k], { tp, pp, p } = now.outcomes[k];
      return { ...label, threshold: inFile(threshold), low: inFile(lowOf(k, now.chosen[k])), setting, tp, pp, p };
    }),
  };
}

function save() {
  const many = changed().length;
  if (many && !content.objective.f1) {
    byId("saved").textContent = "Not saved: the page has no formula for the metric tuned for, only for F1.";
    return;
  }
  download("events.json", `${JSON.stringify(many ? editedFile() : content.file.original, null, 2)}\n`, "application/json");
  byId("saved").textContent = `Saved events.json${many ? ", marked as edited by hand" : " as given"}.`;
}

export function startTable() {
  byId("reset").addEventListener("click", reset);
  byId("save").addEventListener("click", save);
  let waiting = 0;
  now.listeners.push(() => {
    showBar();
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(showTable);
  });
}
