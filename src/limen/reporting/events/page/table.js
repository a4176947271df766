// All labels side by side, the sums over them, and the file that is saved.

import { before, changed, isGiven, now, ratios, reset, show, totals } from "./counting.js";
import { framesOf } from "./deciding.js";
import { content, given, labels } from "./model.js";
import { byId, counted, download, el, inPercent, nameOf, percent, short, whole } from "./parts.js";

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

/** The file as given, with the settings as they are now; marked as edited by hand if one changed. */
function eventsFile() {
  const file = structuredClone(content.file), many = changed();
  if (!many.length) return file;
  return content.edited(file, many);
}

export function startTable() {
  byId("reset").addEventListener("click", reset);
  byId("save").addEventListener("click", () => {
    download("events.json", `${JSON.stringify(eventsFile(), null, 2)}\n`, "application/json");
    byId("saved").textContent = `Saved events.json${changed().length ? ", marked as edited by hand" : " as given"}.`;
  });
  let waiting = 0;
  now.listeners.push(() => {
    showBar();
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(showTable);
  });
}
