// The file that is saved: as given if nothing changed, else marked as edited by hand, with counts of these recordings.

import { changed, commit, now } from "./counting.js";
import { lowOf } from "./deciding.js";
import { byId, download } from "../../page/dom.js";
import { mustHoldToSave } from "./limits.js";
import { content, given, known, labels } from "./model.js";
import { averageOf } from "./objective.js";

/** @param {number} threshold */
const inFile = (threshold) => (threshold === Infinity ? null : threshold);

function editedFile() {
  const { original, edited } = content.file, method = String(original.method), mark = ", edited by hand";
  const { details, ...mustHold } = mustHoldToSave();
  return {
    ...edited, ...mustHold,
    method: method.endsWith(mark) ? method : method + mark,
    value: averageOf(now.outcomes),
    created: `${new Date().toISOString().slice(0, 19)}+00:00`,
    details: { ...details, edited: {
      labels: changed().map((k) => ({ label: labels[k], from: { ...given[k], threshold: inFile(given[k].threshold) },
        to: { ...now.at[k], threshold: inFile(now.at[k].threshold) } })),
      counts_of: content.tuned.here ? "the recordings tuned on" : "the recordings of the report",
      report: content.title,
      before: { method, status: original.status, value: original.value, created: original.created,
        data_digest: original.data_digest, edited: original.details.edited ?? null },
    } },
    labels: edited.labels.map((/** @type {Record<string, any>} */ label, /** @type {number} */ k) => {
      const { threshold, ...setting } = now.at[k], { tp, pp, p } = now.outcomes[k];
      return { ...label, threshold: inFile(threshold), low: inFile(lowOf(k, now.at[k])), setting, tp, pp, p, n: known[k] };
    }),
  };
}

function save() {
  if (now.before.size) commit();
  const many = changed().length;
  if (many && Number.isNaN(averageOf(now.outcomes))) {
    byId("saved").textContent = `Not saved: the page has no formula for the ${content.objective.noun} of edited settings. ` +
      "Set them in Python with EventThresholds.replaced, and measure them with limen.events.evaluate.";
    return;
  }
  download("events.json", `${JSON.stringify(many ? editedFile() : content.file.original, null, 2)}\n`, "application/json");
  byId("saved").textContent = `Saved events.json${many ? ", marked as edited by hand" : " as given"}.`;
}

export function startSaving() {
  byId("save").addEventListener("click", save);
  now.listeners.push(() => { byId("saved").textContent = ""; });
}
