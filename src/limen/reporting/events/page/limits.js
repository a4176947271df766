// Constraints, judged after each move and told: in the overview, in the bar that stays in view, at the label shown.

import { limitSign, nearestTo, outcomeFor, roomText, slackFor, standingBadge } from "../../page/bounds.js";
import { changed, now, show } from "./counting.js";
import { byId, counted, el, nameOf, whole } from "../../page/dom.js";
import { content, known, labels, nLabels } from "./model.js";
import { summed } from "./objective.js";
import { promiseLines, promiseToSave } from "./promises.js";
import { unpacked } from "../../page/packed.js";
/** @import { Counted } from "./objective.js" */
/** @import { Four, Limit } from "../../page/bounds.js" */

/** @typedef {{spec: Limit, which: ArrayLike<number>, broken: number[], holds: boolean}} Judged  With the labels that break it. */

const SHOWN = 8, NAMED = 3;
const excusable = new Set(content.limits.excused);
const allKnown = known.reduce((sum, n) => sum + n, 0);

/** @type {Judged[]} */
const judged = content.limits.all.map((spec) => ({ spec, which: spec.which ? unpacked(spec.which) : [], broken: [], holds: true }));

/** @param {number} k @param {Counted} counts @returns {Four} */
const fourFor = (k, { tp, pp, p }) => [tp, pp, p, known[k]];
/** @param {number} k @returns {Four} */
const fourNow = (k) => fourFor(k, now.outcomes[k]);
/** @returns {Four} */
function pooledNow() {
  const { tp, pp, p } = summed(now.outcomes);
  return [tp, pp, p, allKnown];
}

/** Whether a label need not keep its constraints: it is never given because it can't. @param {number} k */
const isExcused = (k) => excusable.has(k) && now.at[k].threshold === Infinity;

/** Whether a label with these counts would break a constraint of its own. @param {number} k @param {Counted} counts */
export const wouldBreak = (k, counts) => judged.some(({ spec, which }) => spec.kind === "counts" && which[k] > 0
  && slackFor(spec, which[k] - 1, fourFor(k, counts)) < 0);

export const isLimited = (/** @type {number} */ k) => judged.some(({ which }) => which[k] > 0);

function judge() {
  for (const one of judged) {
    const { spec, which } = one;
    if (spec.kind === "pooled") { one.holds = slackFor(spec, 0, pooledNow()) >= 0; continue; }
    one.broken = Array.from({ length: nLabels }, (_, k) => k)
      .filter((k) => which[k] > 0 && !isExcused(k) && slackFor(spec, which[k] - 1, fourNow(k)) < 0);
    one.holds = one.broken.length === 0;
  }
}

/** How a constraint stands over all labels. @param {Judged} one */
function standingOf({ spec, which, broken, holds }) {
  if (spec.kind === "pooled") return { ...roomText(spec, 0, pooledNow()), of: /** @type {number[]} */ ([]) };
  if (!holds) return { standing: /** @type {const} */ ("broken"), text: `broken by ${counted(broken.length, "label")}`, of: broken };
  const spared = [...excusable].filter((k) => which[k] > 0 && isExcused(k) && slackFor(spec, which[k] - 1, fourNow(k)) < 0).length;
  const excuse = spared ? `; ${counted(spared, "label")} excused, never given` : "";
  const k = nearestTo({ spec, which }, fourNow, isExcused);
  if (k < 0) return { standing: /** @type {const} */ ("kept"), text: `kept, for there is nothing to measure${excuse}`, of: [] };
  const { standing, text } = roomText(spec, which[k] - 1, fourNow(k));
  return { standing, text: `kept${excuse}; nearest to its limit: ${text}`, of: [k] };
}

/** @param {Judged} one */
function lineOf(one) {
  const { standing, text, of } = standingOf(one), known = changed().length === 0 ? one.spec.known : null;
  const links = of.slice(0, NAMED).flatMap((k, place) => [place ? ", " : standing === "broken" ? ": " : " (",
    el("button", { type: "button", class: "link", onclick: () => { show(k); byId("label-name").focus(); } }, nameOf(labels[k]))]);
  const more = of.length > NAMED ? ` and ${whole(of.length - NAMED)} more` : "";
  const price = known?.binds ? `; it binds${known.for ? ` for ${counted(known.for, "label")}` : ""}, and ${known.price}` : "";
  return el("li", { class: `limit-${standing}` }, standingBadge(standing), el("strong", {}, one.spec.said), `: ${text}`, ...links, more,
    of.length && standing !== "broken" ? ")" : "", price, ".");
}

function showLimits() {
  const place = byId("promises"), told = promiseLines(), broken = judged.filter(({ holds }) => !holds).length;
  place.hidden = judged.length === 0 && told.length === 0;
  byId("limits-now").hidden = judged.length === 0;
  byId("limits-now").classList.toggle("broken", broken > 0);
  byId("limits-now").textContent = broken ? `${whole(broken)} of ${counted(judged.length, "constraint")} broken`
    : judged.length === 1 ? "constraint holds" : `${whole(judged.length)} constraints hold`;
  if (place.hidden) return;
  const order = [...judged].sort((a, b) => Number(a.holds) - Number(b.holds));
  place.replaceChildren(el("h3", { id: "promises-title" }, "What must hold, on these recordings"),
    el("ul", {}, ...order.slice(0, SHOWN).map(lineOf), ...told.map((text) => el("li", {}, text))),
    order.length > SHOWN ? el("p", { class: "note" }, `And ${whole(order.length - SHOWN)} more, of which ` +
      `${whole(order.slice(SHOWN).filter(({ holds }) => holds).length)} hold.`) : "");
}

/** How the constraints of the label shown stand. */
function showNotes() {
  const k = now.label, place = byId("label-limits");
  const own = judged.filter(({ spec, which }) => spec.kind === "pooled" || which[k] > 0);
  place.hidden = own.length === 0;
  place.replaceChildren(...own.map(({ spec, which }) => {
    const pooled = spec.kind === "pooled", v = pooled ? 0 : which[k] - 1, sign = `${limitSign(spec, v)}${pooled ? " over all labels" : ""}`;
    const { standing, text } = !pooled && isExcused(k) ? { standing: /** @type {const} */ ("kept"), text: "excused: never given" }
      : roomText(spec, v, pooled ? pooledNow() : fourNow(k));
    return el("li", { class: `limit-${standing}` }, standingBadge(standing), el("strong", {}, sign), `: ${text}`);
  }));
}

/** What an edited file has of constraints and promises, and whom it excuses. @returns {Record<string, any>} */
export function mustHoldToSave() {
  const { original, edited } = content.file, { never_by_constraint: excused, ...details } = edited.details;
  const still = [...excusable].filter(isExcused).map((k) => labels[k]);
  const broken = judged.filter(({ holds }) => !holds).length;
  return {
    constraints: edited.constraints.map((/** @type {Record<string, any>} */ entry, /** @type {number} */ place) => {
      const { spec, which, broken: by, holds } = judged[place];
      return { ...entry, ...outcomeFor({ spec, which }, holds, { pooled: pooledNow(), countsOf: fourNow, names: labels, broken: by,
        nearest: nearestTo({ spec, which }, fourNow, isExcused) }) };
    }),
    reason: `edited by hand${judged.length ? `; ${broken ? `${broken} of ` : "all "}${counted(judged.length, "constraint")} ` +
      `${broken ? "broken" : "kept"} on the recordings of the report` : ""}`,
    details: excused && still.length ? { ...details, never_by_constraint: still } : details,
    ...(original.promise ? { promise: promiseToSave() } : {}),
  };
}

/** @param {number} k */
export const breaksAny = (k) => judged.some(({ broken }) => broken.includes(k));

export function startLimits() {
  judge();
  now.listeners.push(() => { judge(); showLimits(); showNotes(); });
  now.watchers.push(showNotes);
  showLimits();
}
